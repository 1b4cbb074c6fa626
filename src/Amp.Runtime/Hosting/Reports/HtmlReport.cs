namespace Amp.Hosting.Reports;

/// <summary>A page about a deployment that a browser shows without anything else.</summary>
public static class HtmlReport
{
    /// <summary>
    /// Looks at a deployment, and gives the page in UTF-8: HTML that is well-formed XML as well, with all it needs in it, without scripts. Text
    /// of the deployment is text there, whatever it looks like. The page stays below a few megabytes, however much there is.
    /// </summary>
    /// <param name="deployment">The deployment. Over HTTP, what needs files or the database itself is left out, and the page says so.</param>
    /// <param name="request">What the report is about.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="AmpException">
    /// <c>JobNotFound</c>; with sync events <c>SyncEventsNotConfigured</c>, <c>DatabaseConnectionRequired</c> over HTTP, <c>BrokerUnavailable</c>
    /// and others of reading them; errors of the database or the Admin API.
    /// </exception>
    public static async Task<ReadOnlyMemory<byte>> CreateAsync(AmpDeployment deployment, ReportRequest request, CancellationToken cancellationToken) =>
        Render(await new ReportReader(deployment, request).ReadAsync(cancellationToken));

    internal static ReadOnlyMemory<byte> Render(ReportModel report)
    {
        using var page = new MemoryStream();
        using (var html = new HtmlWriter(page))
        {
            new ReportPage(report, html).Write();
        }

        return page.ToArray();
    }
}
