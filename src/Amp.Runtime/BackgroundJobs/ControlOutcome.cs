namespace Amp.BackgroundJobs;

/// <summary>What became of a message of another service.</summary>
internal enum ControlOutcome
{
    /// <summary>It changed its tenant.</summary>
    Applied,

    /// <summary>It was taken before, and changed nothing.</summary>
    Seen,

    /// <summary>It came too late: a later one was before it, or the tenant is closed or set up already.</summary>
    Older,

    /// <summary>Its topic says nothing that matters here.</summary>
    Unknown,

    /// <summary>It cannot be understood, and was put aside.</summary>
    Malformed,
}
