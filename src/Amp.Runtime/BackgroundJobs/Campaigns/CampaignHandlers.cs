using Amp.Configuration;
using Amp.MetadataDb;

namespace Amp.BackgroundJobs.Campaigns;

/// <summary>The jobs of campaigns: e-mails, positions, rewards.</summary>
public static class CampaignHandlers
{
    /// <summary>Creates or updates the tables of campaigns, in the schema <c>amp_campaigns</c>.</summary>
    /// <param name="database">The database of the job queue.</param>
    /// <param name="autoMigrate">Whether missing migrations may be applied.</param>
    /// <param name="cancellationToken">Gives up; what is applied stays applied.</param>
    /// <returns>Names of the migrations that were applied.</returns>
    /// <exception cref="AmpException"><c>DatabaseNotInitialized</c>, <c>DatabaseNewerThanModule</c>, <c>DatabaseMigrationChanged</c>.</exception>
    public static Task<IReadOnlyList<string>> InitializeAsync(MetadataDatabase database, bool autoMigrate, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(database);
        return database.InitializeAsync(MigrationSet.Campaigns, autoMigrate, cancellationToken);
    }

    /// <summary>Makes the handlers.</summary>
    /// <param name="database">The database of the job queue.</param>
    /// <param name="smtp">The mail server; null for none: then there is no handler of e-mails, and their jobs wait for a worker that has one.</param>
    /// <param name="templatesFolder">Folder of templates of e-mails; null for the built-in ones.</param>
    /// <returns>Handlers by the types of jobs that they do, where <c>*</c> stands for any word.</returns>
    public static IReadOnlyList<(string Types, IJobHandler Handler)> Create(MetadataDatabase database, SmtpConfiguration? smtp, string? templatesFolder)
    {
        ArgumentNullException.ThrowIfNull(database);
        List<(string, IJobHandler)> handlers = [("job.position.recalculate", new PositionRecalculationHandler()), ("job.reward.deliver", new RewardDeliveryHandler())];
        if (smtp is not null)
        {
            handlers.Add(("job.email.*", new EmailJobHandler(database, new SmtpSender(smtp), new EmailTemplates(templatesFolder))));
        }

        return handlers;
    }

    /// <summary>Writes the built-in templates of e-mails into a folder, to be edited there. Files that are there stay as they are.</summary>
    /// <param name="folder">The folder; made when it is not there.</param>
    /// <param name="cancellationToken">Gives up; some files may be written.</param>
    /// <returns>Paths of the files that were written.</returns>
    public static Task<IReadOnlyList<string>> WriteTemplatesAsync(string folder, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        return EmailTemplates.WriteDefaultsAsync(folder, cancellationToken);
    }
}
