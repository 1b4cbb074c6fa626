using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Mail;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Amp.Support;

/// <summary>A mail server on loopback that keeps what it is given, or misbehaves, as the test says.</summary>
internal sealed class SmtpSink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentDictionary<Task, byte> _sessions = new();
    private readonly Task _loop;

    public SmtpSink()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _loop = Task.Run(LoopAsync);
    }

    /// <summary>Where it listens.</summary>
    public int Port { get; }

    /// <summary>With it, STARTTLS is offered.</summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>With it, who does not log in cannot send.</summary>
    public (string User, string Password)? Login { get; init; }

    /// <summary>How log-in is offered.</summary>
    public string Mechanisms { get; init; } = "LOGIN PLAIN";

    /// <summary>Whether clients are left waiting for a greeting.</summary>
    public bool IsSilent { get; init; }

    /// <summary>Answers to recipients other than 250; an empty one drops the connection.</summary>
    public ConcurrentDictionary<string, string> Recipients { get; } = new();

    /// <summary>Happens after a message was received in full and before that is acknowledged; false drops the connection.</summary>
    public Func<SmtpMail, Task<bool>> Received { get; set; } = _ => Task.FromResult(true);

    /// <summary>Mails that were acknowledged, the oldest first.</summary>
    public ConcurrentQueue<SmtpMail> Mails { get; } = new();

    /// <summary>Ends when the first client is there.</summary>
    public TaskCompletionSource Connected { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Ends when the first client has gone.</summary>
    public TaskCompletionSource Disconnected { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_sessions.Keys).WaitAsync(TimeSpan.FromSeconds(10)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
    }

    private async Task LoopAsync()
    {
        while (true)
        {
            var client = await _listener.AcceptTcpClientAsync(_stop.Token);
            _sessions[Task.Run(() => ServeAsync(client))] = 0;
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var _ = client;
        Connected.TrySetResult();
        try
        {
            await new Session(this, client.GetStream(), _stop.Token).RunAsync();
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or System.Security.Authentication.AuthenticationException)
        {
            // The client went away, which some tests want.
        }
        finally
        {
            Disconnected.TrySetResult();
        }
    }

    /// <summary>One client.</summary>
    private sealed class Session(SmtpSink sink, Stream network, CancellationToken stop)
    {
        private Stream _stream = network;
        private bool _isEncrypted;
        private string? _user;

        public async Task RunAsync()
        {
            if (sink.IsSilent)
            {
                await ReadLineAsync();
                return;
            }

            await WriteAsync("220 sink.test ready");
            var (from, to) = ("", "");
            while (await ReadLineAsync() is { } line)
            {
                var verb = line.Split(' ')[0].ToUpperInvariant();
                switch (verb)
                {
                    case "EHLO":
                        var lines = new List<string> { "sink.test", "8BITMIME" };
                        if (sink.Certificate is not null && !_isEncrypted)
                        {
                            lines.Add("STARTTLS");
                        }

                        if (sink.Login is not null)
                        {
                            lines.Add($"AUTH {sink.Mechanisms}");
                        }

                        await WriteAsync(string.Join("\r\n", lines.Select((text, i) => $"250{(i < lines.Count - 1 ? '-' : ' ')}{text}")));
                        break;
                    case "STARTTLS" when sink.Certificate is not null:
                        await WriteAsync("220 go ahead");
                        var tls = new SslStream(_stream);
                        await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = sink.Certificate }, stop);
                        (_stream, _isEncrypted) = (tls, true);
                        break;
                    case "AUTH":
                        await LogInAsync(line);
                        break;
                    case "MAIL":
                        from = Address(line);
                        await WriteAsync(sink.Login is not null && _user is null ? "530 5.7.0 authentication required" : "250 ok");
                        break;
                    case "RCPT":
                        to = Address(line);
                        var answer = sink.Recipients.GetValueOrDefault(to, "250 ok");
                        if (answer.Length == 0)
                        {
                            return;
                        }

                        await WriteAsync(answer);
                        break;
                    case "DATA":
                        await WriteAsync("354 go ahead");
                        var mail = new SmtpMail(from, to, await ReadDataAsync(), _isEncrypted, _user);
                        if (!await sink.Received(mail))
                        {
                            return;
                        }

                        sink.Mails.Enqueue(mail);
                        await WriteAsync("250 ok");
                        break;
                    case "RSET" or "NOOP":
                        await WriteAsync("250 ok");
                        break;
                    case "QUIT":
                        await WriteAsync("221 bye");
                        return;
                    default:
                        await WriteAsync("502 not implemented");
                        break;
                }
            }
        }

        private async Task LogInAsync(string line)
        {
            var words = line.Split(' ');
            var (user, password) = ("", "");
            if (words[1].Equals("PLAIN", StringComparison.OrdinalIgnoreCase))
            {
                var parts = Decode(words[2]).Split('\0');
                (user, password) = (parts[1], parts[2]);
            }
            else
            {
                // The name may come with the command.
                user = words.Length > 2 ? Decode(words[2]) : Decode(await AskAsync("334 VXNlcm5hbWU6"));
                password = Decode(await AskAsync("334 UGFzc3dvcmQ6"));
            }

            _user = (user, password) == sink.Login ? user : null;
            await WriteAsync(_user is null ? $"535 5.7.8 {password} is not the password" : "235 welcome");
        }

        private async Task<string> AskAsync(string question)
        {
            await WriteAsync(question);
            return await ReadLineAsync() ?? throw new IOException("The client went away.");
        }

        private async Task<string> ReadDataAsync()
        {
            var data = new StringBuilder();
            while (await ReadLineAsync() is { } line)
            {
                if (line == ".")
                {
                    return data.ToString();
                }

                data.Append(line.StartsWith('.') ? line[1..] : line).Append("\r\n");
            }

            throw new IOException("The client went away.");
        }

        /// <summary>A line without its end; null when the client has gone. A byte at a time: what follows STARTTLS is not for this stream.</summary>
        private async Task<string?> ReadLineAsync()
        {
            var line = new List<byte>();
            var one = new byte[1];
            while (await _stream.ReadAsync(one, stop) == 1)
            {
                if (one[0] == '\n')
                {
                    return Encoding.UTF8.GetString([.. line]).TrimEnd('\r');
                }

                line.Add(one[0]);
            }

            return null;
        }

        private async Task WriteAsync(string text) => await _stream.WriteAsync(Encoding.UTF8.GetBytes(text + "\r\n"), stop);

        private static string Address(string line) => line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)];

        private static string Decode(string base64) => Encoding.UTF8.GetString(Convert.FromBase64String(base64));
    }
}

/// <summary>A mail as it came in.</summary>
/// <param name="From">Who sent it, by the envelope.</param>
/// <param name="To">Who gets it, by the envelope.</param>
/// <param name="Data">Headers and body.</param>
/// <param name="IsEncrypted">Whether it came encrypted.</param>
/// <param name="User">Who had logged in; null for nobody.</param>
internal sealed record SmtpMail(string From, string To, string Data, bool IsEncrypted, string? User)
{
    /// <summary>The subject, decoded.</summary>
    public string Subject => Decoded(Header("Subject"));

    /// <summary>The plain text, with line feeds.</summary>
    public string Text => Part("text/plain")!;

    /// <summary>The HTML, with line feeds; null for none.</summary>
    public string? Html => Part("text/html");

    /// <summary>A header as it stands, unfolded.</summary>
    public string Header(string name) => Assert.Single(HeadersOf(Data), header => header.Name.Equals(name, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>Encoded words of a header as text.</summary>
    public static string Decoded(string value) => Attachment.CreateAttachmentFromString("", value).Name!;

    private string? Part(string type)
    {
        var contentType = Header("Content-Type");
        var entities = contentType.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase)
            ? Data.Split("--" + contentType.Split("boundary=")[1].Split(';')[0].Trim('"'))[1..^1].Select(part => part.TrimStart('\r', '\n'))
            : [Data];
        var entity = entities.SingleOrDefault(part => HeadersOf(part).Any(header => header.Name.Equals("Content-Type", StringComparison.OrdinalIgnoreCase)
            && header.Value.StartsWith(type, StringComparison.OrdinalIgnoreCase) && header.Value.Contains("utf-8", StringComparison.OrdinalIgnoreCase)));
        if (entity is null)
        {
            return null;
        }

        var body = entity[(entity.IndexOf("\r\n\r\n", StringComparison.Ordinal) + 4)..];
        var encoding = HeadersOf(entity).Single(header => header.Name.Equals("Content-Transfer-Encoding", StringComparison.OrdinalIgnoreCase)).Value;
        Assert.Equal("quoted-printable", encoding, ignoreCase: true);
        return Unquote(body).ReplaceLineEndings("\n").TrimEnd('\n') + "\n";
    }

    private static List<(string Name, string Value)> HeadersOf(string entity) =>
        [.. entity[..entity.IndexOf("\r\n\r\n", StringComparison.Ordinal)].Replace("\r\n ", " ", StringComparison.Ordinal).Replace("\r\n\t", " ", StringComparison.Ordinal)
            .Split("\r\n").Select(line => line.Split(':', 2)).Select(pair => (pair[0], pair[1].Trim()))];

    private static string Unquote(string body)
    {
        var bytes = new List<byte>();
        body = body.Replace("=\r\n", "", StringComparison.Ordinal);
        for (var i = 0; i < body.Length; i++)
        {
            if (body[i] == '=')
            {
                bytes.Add(byte.Parse(body.AsSpan(i + 1, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture));
                i += 2;
            }
            else
            {
                bytes.Add((byte)body[i]);
            }
        }

        return Encoding.UTF8.GetString([.. bytes]);
    }
}
