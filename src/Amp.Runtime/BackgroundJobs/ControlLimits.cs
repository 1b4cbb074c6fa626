namespace Amp.BackgroundJobs;

/// <summary>Limits that a message gives, each 1 or more; null for one that it does not give.</summary>
internal sealed record ControlLimits(int? Daily, int? Queued, int? Running, int? Payload)
{
    /// <summary>Those of a tier.</summary>
    public static ControlLimits Of(TenantLimits limits) => new(limits.Daily, limits.Queued, limits.Running, limits.Payload);

    /// <summary>These, and the others' where they are not given.</summary>
    public ControlLimits Or(ControlLimits others) =>
        new(Daily ?? others.Daily, Queued ?? others.Queued, Running ?? others.Running, Payload ?? others.Payload);
}
