namespace Amp.Configuration;

public sealed class RedactionTests
{
    [Theory]
    [InlineData("postgresql://amp:hunter2@db:5432/amp", "postgresql://amp:***@db:5432/amp")]
    [InlineData("postgres://amp@db/amp?sslmode=require", "postgres://amp@db/amp?sslmode=require")]
    [InlineData("postgresql://amp:p/a?s#s@w@h1:1,h2:2/amp", "postgresql://amp:***@h1:1,h2:2/amp")]
    [InlineData("postgresql://db/a_database_with_a_rather_long_name_1?password=hunter2", "postgresql://db/a_database_with_a_rather_long_name_1?password=***")]
    [InlineData("https://mainnet.infura.io/v3/0123456789abcdef0123456789abcdef", "https://mainnet.infura.io/v3/***")]
    [InlineData("https://eth-mainnet.g.alchemy.com/v2/short", "https://eth-mainnet.g.alchemy.com/v2/***")]
    [InlineData("https://rpc.example/eth/0123456789abcdef0123456789abcdef/", "https://rpc.example/eth/***/")]
    [InlineData("wss://node/AbCdEfGhIjKlMnOpQrStUvWxYz", "wss://node/***")]
    [InlineData("https://user:hunter2@node/rpc", "https://***@node/rpc")]
    [InlineData("https://hunter2@node", "https://***@node")]
    [InlineData("https://node/?network=base&dkey=hunter2&x=1", "https://node/?network=base&dkey=***&x=1")]
    [InlineData("https://node/?0123456789abcdef", "https://node/?***")]
    [InlineData("https://node/#hunter2", "https://node/")]
    [InlineData("http://localhost:4318/v1/metrics", "http://localhost:4318/v1/metrics")]
    [InlineData("http://127.0.0.1:8545", "http://127.0.0.1:8545")]
    [InlineData("ipc:///var/run/geth.ipc", "ipc:///var/run/geth.ipc")]
    [InlineData("/var/run/geth.ipc", "/var/run/geth.ipc")]
    [InlineData("${RPC_URL}", "${RPC_URL}")]
    [InlineData("https://node/v3/${API_KEY}?token=${TOKEN}", "https://node/v3/${API_KEY}?token=${TOKEN}")]
    [InlineData("hunter2", "***")]
    [InlineData("", "***")]
    public void Url_HidesSecretsAndKeepsTheRest(string url, string expected) => Assert.Equal(expected, Redaction.Url(url));

    [Theory]
    [InlineData("Host=db;Username=amp;Password=hunter2;Database=amp", "Host=db;Username=amp;Password=***;Database=amp")]
    [InlineData("Host=db;PWD = 'hunt;er2';Port=1", "Host=db;PWD=***;Port=1")]
    [InlineData("Password=\"hunt\"\"er2;\";Host=db", "Password=***;Host=db")]
    [InlineData("Host=db;SSL Password=hunter2", "Host=db;SSL Password=***")]
    [InlineData("host=db password=hunter2 user=amp", "host=db password=***")]
    [InlineData("postgresql://amp:hunter2@db/amp", "postgresql://amp:***@db/amp")]
    [InlineData("Host=db;Database=amp", "Host=db;Database=amp")]
    public void ConnectionString_HidesPasswords(string text, string expected) =>
        Assert.Equal(expected, Redaction.ConnectionString(text));

    [Fact]
    public void Secret_WhenPrinted_ShowsNothingOfItself()
    {
        var secret = new Secret("hunter2");

        Assert.Equal("***", $"{secret}");
        Assert.Equal("{}", System.Text.Json.JsonSerializer.Serialize(secret));
        Assert.Empty(typeof(Secret).GetProperties());
        Assert.Equal("hunter2", secret.Reveal());
        Assert.Equal(new Secret("hunter2"), secret);
    }
}
