using Amp.BackgroundJobs;
using Amp.EndToEnd;
using Amp.Support;

namespace Amp.Hosting;

[Collection(PostgresFixture.Collection)]
public sealed class AmpBackgroundJobsTests(PostgresFixture postgres)
{
    [ToolFact("postgres")]
    public async Task SetSuspended_OfATenantThatWasDeleted_IsRefused()
    {
        await using var deployment = await TestDeployment.CreateAsync(postgres);
        var jobs = await deployment.Deployment.OpenBackgroundJobsAsync(CancellationToken.None);
        var tenant = Guid.NewGuid();
        await jobs.SubmitAsync([new BackgroundJobRequest(tenant, "job.a", "{}")], CancellationToken.None);
        await new TenantsTable(deployment.Database, workTopic: null).SetStatusAsync(tenant, "closed", CancellationToken.None);

        var e = await Assert.ThrowsAsync<AmpException>(() => jobs.SetSuspendedAsync(tenant, isSuspended: false, CancellationToken.None));

        Assert.Equal(("TenantClosed", AmpErrorKind.InvalidState, tenant), (e.ErrorCode, e.Kind, e.Target));
    }
}
