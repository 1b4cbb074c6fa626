using Amp.Support;

namespace Amp.BackgroundJobs;

/// <summary>Tests of background jobs, which wait most of the time; one after the other, on a PostgreSQL server of their own.</summary>
[CollectionDefinition(Name)]
public sealed class BackgroundJobsCollection : ICollectionFixture<PostgresFixture>
{
    public const string Name = "background jobs";
}
