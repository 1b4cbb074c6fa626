using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Amp.Events;

namespace Amp.Support;

/// <summary>
/// Stands before a development broker, which knows neither: speaks TLS, and lets a client in only after it has logged in by SASL
/// (PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER), by Kafka's own protocol. Can be slow, and can be closed.
/// </summary>
internal sealed class KafkaGate : IAsyncDisposable
{
    private const short Produce = 0;
    private const short JoinGroup = 11;
    private const short ApiVersions = 18;
    private const short SaslHandshake = 17;
    private const short SaslAuthenticate = 36;
    private const short AuthenticationFailed = 58;
    private const short UnsupportedVersion = 35;

    private readonly DevBroker _broker;
    private readonly int _brokerPort;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<TcpClient, Task> _connections = [];
    private readonly Task _accepting;
    private int _left = int.MaxValue;
    private int _kept;
    private int _refused;
    private int _loggedIn;

    public KafkaGate(DevBroker broker)
    {
        _broker = broker;
        _brokerPort = int.Parse(broker.BootstrapServers.Split(':')[1], provider: null);
        _listener.Start();
        _broker.Advertise(Port);
        _accepting = AcceptAsync();
    }

    public string BootstrapServers => $"127.0.0.1:{Port}";

    /// <summary>The server's certificate; null for no TLS.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>Whether a client needs a certificate too: this authority's.</summary>
    public X509Certificate2? ClientAuthority { get; init; }

    /// <summary>Who may log in, by PLAIN and SCRAM; null for nobody has to.</summary>
    public (string User, string Password)? User { get; set; }

    /// <summary>Whether a token of OAUTHBEARER is good; null when that is not taken.</summary>
    public Func<string, bool>? Token { get; set; }

    /// <summary>How long each message to the broker is held back.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Whether a connection brings no answer any more once it has passed on what a producer sends.</summary>
    public bool KeepsReceipts { get; set; }

    /// <summary>How many batches of producers were kept back.</summary>
    public int Kept => Volatile.Read(ref _kept);

    /// <summary>How many logins were refused.</summary>
    public int Refused => Volatile.Read(ref _refused);

    /// <summary>How many were granted.</summary>
    public int LoggedIn => Volatile.Read(ref _loggedIn);

    private int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    private bool AsksForLogin => User is not null || Token is not null;

    /// <summary>Passes on so many more batches of producers, whose partitions have one each, and keeps what comes then.</summary>
    public void Pass(int batches) => Volatile.Write(ref _left, batches);

    /// <summary>Passes everything on again; what was kept is lost, as its connection is.</summary>
    public void Open()
    {
        (KeepsReceipts, _kept) = (false, 0);
        Pass(int.MaxValue);
        Disconnect();
    }

    /// <summary>Closes all connections, as a broker does that restarts or revokes a login.</summary>
    public void Disconnect()
    {
        foreach (var client in _connections.Keys)
        {
            client.Close();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        Disconnect();
        await Task.WhenAll(_connections.Values);
        _listener.Dispose();
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _connections[client] = Task.Run(() => ServeAsync(client));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException)
            {
                // Stopping, or a client that was gone at once.
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        try
        {
            using var near = client;
            using var far = new TcpClient();
            near.NoDelay = far.NoDelay = true;
            await far.ConnectAsync(IPAddress.Loopback, _brokerPort, _stop.Token);
            Stream stream = near.GetStream();
            if (Certificate is not null)
            {
                var tls = new SslStream(stream);
                await tls.AuthenticateAsServerAsync(
                    new SslServerAuthenticationOptions
                    {
                        ServerCertificate = Certificate,
                        ClientCertificateRequired = ClientAuthority is not null,
                        CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
                        RemoteCertificateValidationCallback = (_, certificate, _, _) => ClientAuthority is null || certificate?.Issuer == ClientAuthority.Subject,
                    },
                    _stop.Token);
                stream = tls;
            }

            if (AsksForLogin && !await LogInAsync(stream, far.GetStream()))
            {
                return;
            }

            using var ending = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            var link = new Link();
            await Task.WhenAny(PassOnAsync(stream, far.GetStream(), link, ending.Token), AnswerAsync(far.GetStream(), stream, link, ending.Token));
            await ending.CancelAsync();
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // Either side went.
        }
        finally
        {
            _connections.TryRemove(client, out _);
        }
    }

    private async Task PassOnAsync(Stream from, Stream to, Link link, CancellationToken cancellationToken)
    {
        while (await ReadAsync(from, cancellationToken) is { } message)
        {
            if (Delay > TimeSpan.Zero)
            {
                await Task.Delay(Delay, cancellationToken);
            }

            var reader = new Reader(message);
            var (api, _, correlation) = (reader.Int16(), reader.Int16(), reader.Int32());
            if (api == JoinGroup && Interlocked.Exchange(ref link.Joining, correlation) != 0)
            {
                // A member that joins again before it was answered, which a broker bears and the mock cluster ends with: it has to connect again.
                return;
            }

            if (api == Produce)
            {
                if (Interlocked.Decrement(ref _left) < 0)
                {
                    Interlocked.Increment(ref _kept);
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }

                link.IsMute = KeepsReceipts;
            }

            await WriteAsync(to, message, cancellationToken);
        }
    }

    private static async Task AnswerAsync(Stream from, Stream to, Link link, CancellationToken cancellationToken)
    {
        while (await ReadAsync(from, cancellationToken) is { } answer)
        {
            _ = Interlocked.CompareExchange(ref link.Joining, 0, new Reader(answer).Int32());
            if (!link.IsMute)
            {
                await WriteAsync(to, answer, cancellationToken);
            }
        }
    }

    /// <summary>Answers until the client has logged in; false when it failed to.</summary>
    private async Task<bool> LogInAsync(Stream client, Stream broker)
    {
        Exchange? exchange = null;
        while (await ReadAsync(client, _stop.Token) is { } request)
        {
            var reader = new Reader(request);
            var (api, version, correlation) = (reader.Int16(), reader.Int16(), reader.Int32());
            reader.Text();
            switch (api)
            {
                case ApiVersions when version > 0:
                    // An old broker: the client asks again in the oldest form, which is easy to add to.
                    await WriteAsync(client, new Writer().Int32(correlation).Int16(UnsupportedVersion).Int32(0).Message, _stop.Token);
                    break;
                case ApiVersions:
                    await WriteAsync(broker, request, _stop.Token);
                    await WriteAsync(client, WithSasl(await ReadAsync(broker, _stop.Token) ?? throw new IOException()), _stop.Token);
                    break;
                case SaslHandshake:
                    exchange = new Exchange(this, reader.Text()!);
                    await WriteAsync(client, new Writer().Int32(correlation).Int16(0).Int32(1).Text(exchange.Mechanism).Message, _stop.Token);
                    break;
                case SaslAuthenticate when exchange is not null:
                    var answer = exchange.Take(reader.Bytes());
                    var writer = new Writer().Int32(correlation).Int16(answer is null ? AuthenticationFailed : (short)0);
                    await WriteAsync(client, (answer is null ? writer.Text("the login was refused") : writer.Int16(-1)).Bytes(answer ?? []).Message, _stop.Token);
                    if (answer is null)
                    {
                        Interlocked.Increment(ref _refused);
                        return false;
                    }

                    if (exchange.IsDone)
                    {
                        Interlocked.Increment(ref _loggedIn);
                        return true;
                    }

                    break;
                default:
                    // Nothing else before the login.
                    return false;
            }
        }

        return false;
    }

    /// <summary>Adds what the gate can do to the broker's list (its oldest form) of what it can do.</summary>
    private static byte[] WithSasl(byte[] versions)
    {
        var count = BinaryPrimitives.ReadInt32BigEndian(versions.AsSpan(6));
        byte[] all = [.. versions, .. new Writer().Int16(SaslHandshake).Int16(0).Int16(1).Int16(SaslAuthenticate).Int16(0).Int16(0).Message];
        BinaryPrimitives.WriteInt32BigEndian(all.AsSpan(6), count + 2);
        return all;
    }

    private static async Task<byte[]?> ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var length = new byte[4];
        if (await stream.ReadAtLeastAsync(length, 4, throwOnEndOfStream: false, cancellationToken) < 4)
        {
            return null;
        }

        var message = new byte[BinaryPrimitives.ReadInt32BigEndian(length)];
        await stream.ReadExactlyAsync(message, cancellationToken);
        return message;
    }

    private static async Task WriteAsync(Stream stream, byte[] message, CancellationToken cancellationToken)
    {
        var framed = new byte[4 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed, message.Length);
        message.CopyTo(framed, 4);
        await stream.WriteAsync(framed, cancellationToken);
    }

    /// <summary>What is known of a connection.</summary>
    private sealed class Link
    {
        /// <summary>The request to join a group that was not answered yet; 0 for none.</summary>
        public int Joining;

        public volatile bool IsMute;
    }

    /// <summary>One login: takes what the client says, gives the answer, or null to refuse.</summary>
    private sealed class Exchange(KafkaGate gate, string mechanism)
    {
        private const int Iterations = 4096;

        private readonly byte[] _salt = RandomNumberGenerator.GetBytes(16);
        private string? _firstMessages;

        public string Mechanism => mechanism;

        public bool IsDone { get; private set; }

        public byte[]? Take(byte[] message)
        {
            var text = Encoding.UTF8.GetString(message);
            switch (mechanism)
            {
                case "PLAIN":
                    IsDone = true;
                    return gate.User is { } user && text == $"\0{user.User}\0{user.Password}" ? [] : null;
                case "OAUTHBEARER":
                    IsDone = true;
                    var token = text.Split('\u0001').FirstOrDefault(part => part.StartsWith("auth=Bearer ", StringComparison.Ordinal));
                    return gate.Token is { } isGood && token is not null && isGood(token["auth=Bearer ".Length..]) ? [] : null;
                default:
                    return Scram(text);
            }
        }

        // RFC 5802; the password is that of the one user, whoever comes.
        private byte[]? Scram(string text)
        {
            var hash = mechanism == "SCRAM-SHA-256" ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA512;
            if (_firstMessages is null)
            {
                var bare = text[3..];
                var challenge = $"r={Part(bare, 'r')}{Convert.ToHexString(RandomNumberGenerator.GetBytes(8))},s={Convert.ToBase64String(_salt)},i={Iterations}";
                _firstMessages = $"{bare},{challenge}";
                return gate.User?.User == Part(bare, 'n') ? Encoding.UTF8.GetBytes(challenge) : null;
            }

            IsDone = true;
            var size = hash == HashAlgorithmName.SHA256 ? 32 : 64;
            var salted = Rfc2898DeriveBytes.Pbkdf2(gate.User!.Value.Password, _salt, Iterations, hash, size);
            var clientKey = CryptographicOperations.HmacData(hash, salted, "Client Key"u8);
            var authentication = Encoding.UTF8.GetBytes($"{_firstMessages},{text[..text.LastIndexOf(",p=", StringComparison.Ordinal)]}");
            var signature = CryptographicOperations.HmacData(hash, CryptographicOperations.HashData(hash, clientKey), authentication);
            var proof = clientKey.Zip(signature, (key, sign) => (byte)(key ^ sign));
            if (!Convert.FromBase64String(Part(text, 'p')).SequenceEqual(proof))
            {
                return null;
            }

            var serverKey = CryptographicOperations.HmacData(hash, salted, "Server Key"u8);
            return Encoding.UTF8.GetBytes($"v={Convert.ToBase64String(CryptographicOperations.HmacData(hash, serverKey, authentication))}");
        }

        private static string Part(string text, char name) => text.Split(',').First(part => part.StartsWith($"{name}=", StringComparison.Ordinal))[2..];
    }

    private sealed class Reader(byte[] message)
    {
        private int _position;

        public short Int16() => BinaryPrimitives.ReadInt16BigEndian(Next(2));

        public int Int32() => BinaryPrimitives.ReadInt32BigEndian(Next(4));

        public string? Text() => Int16() is >= 0 and var length ? Encoding.UTF8.GetString(Next(length)) : null;

        public byte[] Bytes() => Next(Int32()).ToArray();

        private ReadOnlySpan<byte> Next(int length)
        {
            var next = message.AsSpan(_position, length);
            _position += length;
            return next;
        }
    }

    private sealed class Writer
    {
        private readonly List<byte> _bytes = [];

        public byte[] Message => [.. _bytes];

        public Writer Int16(short value) => Add(2, span => BinaryPrimitives.WriteInt16BigEndian(span, value));

        public Writer Int32(int value) => Add(4, span => BinaryPrimitives.WriteInt32BigEndian(span, value));

        public Writer Text(string value)
        {
            Int16((short)value.Length);
            _bytes.AddRange(Encoding.UTF8.GetBytes(value));
            return this;
        }

        public Writer Bytes(byte[] value)
        {
            Int32(value.Length);
            _bytes.AddRange(value);
            return this;
        }

        private Writer Add(int length, Action<byte[]> write)
        {
            var bytes = new byte[length];
            write(bytes);
            _bytes.AddRange(bytes);
            return this;
        }
    }
}
