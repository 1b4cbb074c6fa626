using System.Management.Automation;
using Amp.Hosting;

namespace Amp.PowerShell.BackgroundJobs;

/// <summary>A cmdlet that changes what tenants may do, and writes what they may then.</summary>
public abstract class TenantCmdlet : BackgroundJobCmdlet
{
    /// <summary>Tenants.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [ArgumentCompleter(typeof(TenantCompleter))]
    public Guid[] TenantId { get; set; } = [];

    /// <summary>What is done, for <c>-WhatIf</c>.</summary>
    private protected abstract string Action { get; }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var tenantId in TenantId)
        {
            if (ShouldProcess($"tenant {tenantId}", Action))
            {
                Run(async (jobs, pipeline, cancellationToken) => await pipeline.OutputAsync(await ChangeAsync(jobs, tenantId, cancellationToken)));
            }
        }
    }

    /// <summary>Does it.</summary>
    private protected abstract Task<AmpQuota> ChangeAsync(AmpBackgroundJobs jobs, Guid tenantId, CancellationToken cancellationToken);
}
