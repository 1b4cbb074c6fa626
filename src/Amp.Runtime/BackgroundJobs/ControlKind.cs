namespace Amp.BackgroundJobs;

/// <summary>What a message of another service says of a tenant.</summary>
internal enum ControlKind
{
    /// <summary>It is new.</summary>
    Created,

    /// <summary>It is gone, for good.</summary>
    Deleted,

    /// <summary>It has another tier or other limits.</summary>
    LimitsChanged,

    /// <summary>It may not work.</summary>
    Suspended,

    /// <summary>It may work again.</summary>
    Resumed,
}
