namespace Amp.BackgroundJobs;

/// <summary>How many background jobs of a type are in a state.</summary>
/// <param name="Type">The type.</param>
/// <param name="Status">The state.</param>
/// <param name="Jobs">How many.</param>
public sealed record BackgroundJobCount(string Type, AmpBackgroundJobStatus Status, long Jobs);
