namespace Amp.BackgroundJobs.Campaigns;

/// <summary>Ends a job for good: it would fail the same way again. What its transaction wrote is rolled back.</summary>
/// <param name="reason">What is wrong, for whoever reads the dead letter.</param>
internal sealed class JobRefusal(string reason) : Exception(reason);
