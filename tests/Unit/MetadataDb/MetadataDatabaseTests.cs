using System.Net;
using System.Net.Sockets;
using Amp.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Amp.MetadataDb;

[Collection(PostgresFixture.Collection)]
public sealed class MetadataDatabaseTests(PostgresFixture postgres)
{
    [Fact]
    public async Task Connect_WhereNothingListens_SaysWhereAndKeepsThePasswordSecret()
    {
        var e = await Assert.ThrowsAsync<AmpException>(() => ConnectAsync("postgresql://me:s3cret@127.0.0.1:1/amp"));

        Assert.Equal(("DatabaseUnavailable", true), (e.ErrorCode, e.IsTransient));
        Assert.Contains("127.0.0.1:1/amp", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", e.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Connect_WhereNobodyAnswers_GivesUpWithinSeconds()
    {
        using var silent = new TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var watch = System.Diagnostics.Stopwatch.StartNew();

        var e = await Assert.ThrowsAsync<AmpException>(() => ConnectAsync($"postgresql://me:s3cret@{silent.LocalEndpoint}/amp"));

        Assert.Equal(("DatabaseUnavailable", true), (e.ErrorCode, e.IsTransient));
        Assert.InRange(watch.Elapsed.TotalSeconds, 3, 12);
    }

    [ToolFact("postgres")]
    public async Task Connect_WithAWrongPassword_IsDenied()
    {
        var url = PostgresUrl.Parse(await postgres.CreateEmptyAsync());

        var e = await Assert.ThrowsAsync<AmpException>(() => ConnectAsync($"postgresql://amp:wr0ng@127.0.0.1:{url.Port}/{url.Database}"));

        Assert.Equal(("DatabaseAccessDenied", false), (e.ErrorCode, e.IsTransient));
        Assert.DoesNotContain("wr0ng", e.ToString(), StringComparison.Ordinal);
    }

    [ToolFact("postgres")]
    public async Task Connect_ToADatabaseThatIsNotThere_SaysSo()
    {
        var url = await postgres.CreateEmptyAsync();

        var e = await Assert.ThrowsAsync<AmpException>(() => ConnectAsync(url + "_not_there"));

        Assert.Equal("DatabaseNotFound", e.ErrorCode);
    }

    [Theory]
    [InlineData("postgresql://u:p%40ss@db.example.org:6543/amp?sslmode=verify-full&application_name=x", "db.example.org", 6543, "amp", "u", "p@ss")]
    [InlineData("postgres://u@host/amp", "host", 5432, "amp", "u", null)]
    [InlineData("postgresql://u:p@[::1]:5433/amp", "::1", 5433, "amp", "u", "p")]
    [InlineData("postgresql:///amp?host=/run/postgresql&user=u", "/run/postgresql", 5432, "amp", "u", null)]
    [InlineData("postgresql://u:p@%2Frun%2Fpg/amp", "/run/pg", 5432, "amp", "u", "p")]
    [InlineData("postgresql://u@host", "host", 5432, "u", "u", null)]
    [InlineData("Host=host;Port=7;Database=amp;Username=u;Password=p", "host", 7, "amp", "u", "p")]
    public void Url_IsUnderstood(string address, string host, int port, string database, string user, string? password)
    {
        var settings = PostgresUrl.Parse(address);

        Assert.Equal((host, port, database, user, password),
            (settings.Host, settings.Port, settings.Database, settings.Username, settings.Password));
    }

    [Theory]
    [InlineData("postgresql://u:s3cret@host:99999/amp", "port '99999'")]
    [InlineData("postgresql://u:s3cret@host/amp?colour=red", "'colour'")]
    [InlineData("postgresql://u:s3cret@host/amp?sslmode=maybe", "'maybe'")]
    [InlineData("Host=host;Password=s3cret;Nonsense=s3cret", "driver")]
    [InlineData("s3cret", "driver")]
    public void Url_ThatIsWrong_IsRefusedWithoutItsPassword(string address, string expected)
    {
        var e = Assert.Throws<AmpException>(() => PostgresUrl.Parse(address));

        Assert.Equal("DatabaseUrlInvalid", e.ErrorCode);
        Assert.Contains(expected, e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", e.ToString(), StringComparison.Ordinal);
    }

    private static async Task ConnectAsync(string url)
    {
        await using var database = await MetadataDatabase.ConnectAsync(url, 1, NullLoggerFactory.Instance);
    }
}
