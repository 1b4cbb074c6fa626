namespace Amp;

/// <summary>Where the progress of jobs is read.</summary>
public enum AmpProgressSource
{
    /// <summary>In the deployment's metadata database, or its Admin API.</summary>
    Database,

    /// <summary>In the sync events that workers send to Kafka.</summary>
    Kafka,
}
