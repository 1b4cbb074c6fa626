using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;

namespace Amp.Support;

/// <summary>Lets the mail client trust an authority of a test's own, besides those that the machine trusts. Disposing it ends that.</summary>
internal sealed class SmtpTrust : IDisposable
{
    private SmtpTrust()
    {
    }

    public static SmtpTrust Of(X509Certificate2 authority)
    {
        Set((_, certificate, given, errors) =>
        {
            if (errors == SslPolicyErrors.None)
            {
                return true;
            }

            using var chain = new X509Chain();
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            return errors == SslPolicyErrors.RemoteCertificateChainErrors && chain.Build((X509Certificate2)certificate!);
        });
        return new SmtpTrust();
    }

    public void Dispose() => Set(null);

    // The mail client takes it from nowhere else.
    private static void Set(RemoteCertificateValidationCallback? callback)
    {
#pragma warning disable SYSLIB0014 // Obsolete for HTTP, which this does not concern.
        ServicePointManager.ServerCertificateValidationCallback = callback;
#pragma warning restore SYSLIB0014
    }
}
