namespace Amp.BackgroundJobs.Campaigns;

/// <summary>What an e-mail says.</summary>
/// <param name="Subject">One line.</param>
/// <param name="Text">The plain text.</param>
/// <param name="Html">The same as HTML; null for none.</param>
internal sealed record EmailContent(string Subject, string Text, string? Html);
