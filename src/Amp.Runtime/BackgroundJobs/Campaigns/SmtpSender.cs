using System.Net;
using System.Net.Mail;
using System.Net.Mime;
using System.Text;
using Amp.Configuration;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>Gives e-mails to a mail server, each on a connection of its own. Safe for use by many threads.</summary>
internal sealed class SmtpSender(SmtpConfiguration smtp)
{
    private const string Html = "text/html";
    private const int FirstPermanentStatus = 500;

    private readonly MailAddress _from = new(smtp.From);

    /// <summary>The <c>Message-ID</c> of a job's e-mail: the same at each attempt, so that who gets it twice can know it.</summary>
    public string MessageId(Guid jobId) => $"<{jobId}@{_from.Host}>";

    /// <summary>Sends an e-mail.</summary>
    /// <param name="jobId">Its job.</param>
    /// <param name="to">Who gets it.</param>
    /// <param name="content">What it says.</param>
    /// <param name="cancellationToken">Gives up; the server may have taken it or not.</param>
    /// <returns>Null when the server took it, else what shall become of the job: given up for good where the server says so, tried again for all other causes.</returns>
    public async Task<AmpJobAnswer?> SendAsync(Guid jobId, MailAddress to, EmailContent content, CancellationToken cancellationToken)
    {
        using var message = Write(jobId, to, content);
        using var client = new SmtpClient(smtp.Host, smtp.Port) { EnableSsl = smtp.StartTls, DeliveryFormat = SmtpDeliveryFormat.International };
        if (smtp.Username is not null)
        {
            client.Credentials = new NetworkCredential(smtp.Username, smtp.Password!.Reveal());
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(smtp.Timeout);
        try
        {
            // The client does not give up connecting when it is told to.
            await client.SendMailAsync(message, limit.Token).WaitAsync(limit.Token);
            return null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return AmpJobAnswer.Retry($"The mail server {smtp.Host}:{smtp.Port} did not take the e-mail within {smtp.Timeout.TotalSeconds:0.#} s.");
        }
        catch (SmtpException e)
        {
            var cause = e.GetBaseException();
            var reason = $"The mail server {smtp.Host}:{smtp.Port} did not take the e-mail: {e.Message}{(cause == e ? "" : $" {cause.Message}")}";
            return (int)e.StatusCode >= FirstPermanentStatus ? AmpJobAnswer.Fail(reason) : AmpJobAnswer.Retry(reason);
        }
    }

    private MailMessage Write(Guid jobId, MailAddress to, EmailContent content)
    {
        var message = new MailMessage(_from, to)
        {
            Subject = content.Subject,
            SubjectEncoding = Encoding.UTF8,
            Body = content.Text,
            BodyEncoding = Encoding.UTF8,
            BodyTransferEncoding = TransferEncoding.QuotedPrintable,
        };
        message.Headers.Add("Message-ID", MessageId(jobId));

        // RFC 3834: so that absence notices are not sent in answer.
        message.Headers.Add("Auto-Submitted", "auto-generated");
        if (content.Html is not null)
        {
            var view = AlternateView.CreateAlternateViewFromString(content.Html, Encoding.UTF8, Html);
            view.TransferEncoding = TransferEncoding.QuotedPrintable;
            message.AlternateViews.Add(view);
        }

        return message;
    }
}
