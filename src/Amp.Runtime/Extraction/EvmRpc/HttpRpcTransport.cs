using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;

namespace Amp.Extraction.EvmRpc;

/// <summary>JSON-RPC over HTTP: each request a POST, answers compressed where the node can.</summary>
internal sealed class HttpRpcTransport : IRpcTransport
{
    private const int MaxAnswerLength = DuplexRpcTransport.MaxAnswerLength;
    private const int FirstCapacity = 64 << 10;

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly HttpClient _http;
    private readonly Uri _url;
    private readonly string _node;
    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly SecretScrubber _secrets;

    public HttpRpcTransport(EvmRpcOptions options, TimeProvider time)
    {
        _url = options.Url;
        _node = options.NodeName;
        _timeout = options.Timeout;
        _time = time;
        _secrets = new SecretScrubber(options);
        _http = new HttpClient(new SocketsHttpHandler
        {
            // A redirected POST becomes a GET, and would carry the token to another host.
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.All,
            ConnectTimeout = options.Timeout,
            EnableMultipleHttp2Connections = true,
            MaxConnectionsPerServer = options.ConcurrentRequestLimit,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            UseCookies = false,
        })
        {
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        AddAuthentication(options);
    }

    /// <inheritdoc/>
    public async Task<PooledBytes> SendAsync(RpcRequest request, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        using var message = new HttpRequestMessage(HttpMethod.Post, _url)
        {
            Content = new ReadOnlyMemoryContent(request.Json),
            Version = _http.DefaultRequestVersion,
            VersionPolicy = _http.DefaultVersionPolicy,
        };
        message.Content.Headers.ContentType = Json;
        try
        {
            using var response = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, either.Token);
            var body = await ReadAsync(response, request, either.Token);
            if (response.IsSuccessStatusCode)
            {
                return body;
            }

            using (body)
            {
                throw RpcException.HttpError(_node, request.Purpose, response.StatusCode, ErrorIn(body), RetryAfter(response));
            }
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw RpcException.Unreachable(_node, request.Purpose, $"no answer within {_timeout.TotalSeconds:0.#} s", isTransient: true, e, RpcComplaint.Size);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded })
        {
            throw RpcException.InvalidAnswer(_node, request.Purpose, $"it was cut off ({_secrets.Scrub(e.Message)})", isTransient: true, e);
        }
        catch (HttpRequestException e)
        {
            var isTransient = e.HttpRequestError is not (HttpRequestError.SecureConnectionError or HttpRequestError.ConfigurationLimitExceeded);
            var reason = e.InnerException is SocketException socket ? socket.Message : e.Message;
            throw RpcException.Unreachable(_node, request.Purpose, _secrets.Scrub(reason).TrimEnd('.'), isTransient, e);
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<PooledBytes> ReadAsync(HttpResponseMessage response, RpcRequest request, CancellationToken cancellationToken)
    {
        // One byte more than announced, so that the end is seen without growing.
        var capacity = Math.Min(response.Content.Headers.ContentLength + 1 ?? FirstCapacity, MaxAnswerLength);
        var body = new PooledBytes((int)capacity);
        try
        {
            await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
            int read;
            while ((read = await stream.ReadAsync(body.GetMemory(), cancellationToken)) > 0)
            {
                body.Advance(read);
                if (body.Length > MaxAnswerLength)
                {
                    throw RpcException.AnswerTooLong(_node, request.Purpose, MaxAnswerLength);
                }
            }

            return body;
        }
        catch
        {
            body.Dispose();
            throw;
        }
    }

    private void AddAuthentication(EvmRpcOptions options)
    {
        try
        {
            if (RpcAuthentication.Header(options) is var (name, value))
            {
                _http.DefaultRequestHeaders.Add(name, value);
            }
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException or ArgumentException)
        {
            throw RpcAuthentication.Invalid(_node);
        }
    }

    private static TimeSpan? ParseDelay(RetryConditionHeaderValue? header, DateTimeOffset now) =>
        header?.Delta ?? (header?.Date is { } date && date > now ? date - now : null);

    private TimeSpan? RetryAfter(HttpResponseMessage response) => ParseDelay(response.Headers.RetryAfter, _time.GetUtcNow());

    // The node's own words, where it answers with JSON-RPC in spite of the status.
    private (int Code, string Message)? ErrorIn(PooledBytes body)
    {
        try
        {
            return RpcEnvelope.Read(body.Memory.Span) is [{ Error: var (code, text) }] ? (code, _secrets.Scrub(text)) : null;
        }
        catch (DecodeException)
        {
            return null;
        }
    }
}
