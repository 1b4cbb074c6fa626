namespace Amp.MetadataDb;

/// <summary>Kinds of jobs, as descriptors name them.</summary>
internal static class JobKinds
{
    /// <summary>Extracts a raw dataset; ampd's kind.</summary>
    public const string MaterializeRaw = "materialize-raw";

    /// <summary>Extracts a range of blocks for such a job. ampd does not know it, and so refuses it.</summary>
    public const string MaterializeRawPart = "materialize-raw-part";
}
