using Amp.Support;

namespace Amp.EndToEnd;

/// <summary>Tests of the whole runtime; one after the other, on a PostgreSQL server of their own.</summary>
[CollectionDefinition(Name)]
public sealed class EndToEndCollection : ICollectionFixture<PostgresFixture>
{
    public const string Name = "end to end";
}
