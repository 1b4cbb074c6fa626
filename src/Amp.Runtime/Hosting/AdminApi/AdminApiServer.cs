using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Amp.Configuration;
using Microsoft.Extensions.Logging;

namespace Amp.Hosting.AdminApi;

/// <summary>
/// The Admin API: JSON over HTTP. On a loopback address it answers only requests that name one, so that no page in a browser can
/// reach it under a name of its own; elsewhere it asks for a bearer token. Sizes, times and requests at once are bounded.
/// </summary>
internal sealed class AdminApiServer : IAsyncDisposable
{
    /// <summary>Largest body.</summary>
    public const int MaxBodyBytes = 1 << 20;

    private const int MaxAtOnce = 64;

    private static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly HttpListener _listener;
    private readonly IReadOnlyList<ApiRoute> _routes;
    private readonly byte[] _document;
    private readonly byte[]? _tokenHash;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stop = new();
    private readonly SemaphoreSlim _places = new(MaxAtOnce);
    private readonly Task _accepting;

    private AdminApiServer(HttpListener listener, Uri url, ApiRoutes routes, Secret? token, ILogger logger)
    {
        _listener = listener;
        Url = url;
        _routes = routes.All;
        _document = JsonSerializer.SerializeToUtf8Bytes(OpenApiDocument.Create(_routes), ApiJson.Options);
        _tokenHash = token is null ? null : Hash(token.Reveal());
        _logger = logger;
        _accepting = AcceptAsync();
    }

    /// <summary>Where it answers.</summary>
    public Uri Url { get; }

    /// <summary>Starts to answer.</summary>
    /// <param name="deployment">What it answers from; its configuration says where.</param>
    /// <param name="logger">Told of failures.</param>
    /// <exception cref="AmpException"><c>AdminApiAddressUnavailable</c> when the address is in use or not this machine's.</exception>
    public static AdminApiServer Start(AmpDeployment deployment, ILogger logger)
    {
        var address = deployment.Configuration.AdminApiAddress;
        var host = address.Address.Equals(IPAddress.Any) || address.Address.Equals(IPAddress.IPv6Any) ? "*" : HostOf(address.Address);
        var listener = new HttpListener { IgnoreWriteExceptions = true };
        listener.Prefixes.Add($"http://{host}:{address.Port}/");
        if (IPAddress.IsLoopback(address.Address))
        {
            listener.Prefixes.Add($"http://localhost:{address.Port}/");
        }

        try
        {
            listener.Start();
        }
        catch (HttpListenerException e)
        {
            listener.Close();
            throw new AmpException("AdminApiAddressUnavailable", AmpErrorKind.Conflict, $"The Admin API cannot listen on {address}: {e.Message.TrimEnd('.')}.", e)
            {
                Target = address.ToString(),
                RecommendedAction = "Stop what listens there (another controller?), or set admin_api_addr to another address.",
            };
        }

        var url = new Uri($"http://{(host == "*" ? "localhost" : host)}:{address.Port}/");
        Log.ListensForAdmins(logger, url);
        return new AdminApiServer(listener, url, new ApiRoutes(deployment), deployment.Configuration.AdminApiToken, logger);
    }

    /// <summary>Takes no more requests, and gives those under way a few seconds to end.</summary>
    public async ValueTask DisposeAsync()
    {
        _listener.Stop();
        _listener.Prefixes.Clear();     // or Close would bind the address once more to give it up again, though another may have it by now
        await _accepting;
        _stop.CancelAfter(StopTimeout);
        for (var i = 0; i < MaxAtOnce; i++)
        {
            await _places.WaitAsync();
        }

        _listener.Close();
        _stop.Dispose();
        _places.Dispose();
    }

    private async Task AcceptAsync()
    {
        await Task.Yield();
        while (_listener.IsListening)
        {
            HttpListenerContext context;
            try
            {
                context = await _listener.GetContextAsync();
            }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException or InvalidOperationException)
            {
                continue;
            }

            if (_places.Wait(0))
            {
                _ = ServeAsync(context);
            }
            else
            {
                context.Response.AddHeader("Retry-After", "1");
                Send(context, 503, Error("TooManyRequests", $"more than {MaxAtOnce} requests are under way", AmpErrorKind.LimitReached));
            }
        }
    }

    private async Task ServeAsync(HttpListenerContext context)
    {
        await Task.Yield();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
            limit.CancelAfter(AnswerTimeout);
            var (status, content) = await AnswerAsync(context, limit.Token);
            Send(context, status, content);
        }
        catch (OperationCanceledException)
        {
            Send(context, 503, Error("RequestTimedOut", $"there was no answer within {AnswerTimeout.TotalSeconds:0} s", AmpErrorKind.Unavailable));
        }
        catch (AmpException e)
        {
            Send(context, Status(e), Error(e));
        }
        catch (Exception e)
        {
            Log.FailedRequest(_logger, e, context.Request.HttpMethod, context.Request.Url?.AbsolutePath ?? "");
            Send(context, 500, Error("InternalError", "the request failed for a reason that nobody foresaw; the controller's log has it", AmpErrorKind.Internal));
        }
        finally
        {
            _places.Release();
        }
    }

    private async Task<(int Status, byte[]? Content)> AnswerAsync(HttpListenerContext context, CancellationToken cancellationToken)
    {
        var request = context.Request;
        if (!IsAuthorized(request))
        {
            context.Response.AddHeader("WWW-Authenticate", "Bearer");
            return (401, Error("Unauthorized", "the bearer token is missing or wrong", AmpErrorKind.Denied));
        }

        var path = request.Url!.AbsolutePath.Length > 1 ? request.Url.AbsolutePath.TrimEnd('/') : "/";
        var method = request.HttpMethod == "HEAD" ? "GET" : request.HttpMethod;
        if (path == "/openapi.json")
        {
            return method == "GET" ? (200, _document) : NotAllowed(context, ["GET"]);
        }

        var found = _routes.Select(route => (Route: route, Values: route.Match(path))).Where(match => match.Values is not null).ToList();
        var (route, values) = found.Find(match => match.Route.Method == method);
        if (route is null)
        {
            return found.Count > 0
                ? NotAllowed(context, found.Select(match => match.Route.Method))
                : (404, Error("NotFound", $"there is nothing at {path}; GET /openapi.json lists what there is", AmpErrorKind.NotFound));
        }

        var query = request.QueryString.AllKeys.OfType<string>().ToDictionary(key => key, key => request.QueryString[key] ?? "", StringComparer.Ordinal);
        if (query.Keys.FirstOrDefault(key => route.Query.All(field => field.Name != key)) is { } unknown)
        {
            throw ApiJson.Invalid($"'{unknown}' is not a value of this query");
        }

        var body = route.Body.Count == 0 ? default : await ReadBodyAsync(request, route, cancellationToken);
        var answer = await route.Answer(new ApiRequest(values!, query, body), cancellationToken);
        return (answer.Status, answer.Content is null ? null : JsonSerializer.SerializeToUtf8Bytes(answer.Content, ApiJson.Options));
    }

    private static async Task<JsonElement> ReadBodyAsync(HttpListenerRequest request, ApiRoute route, CancellationToken cancellationToken)
    {
        if (request.ContentLength64 > MaxBodyBytes)
        {
            throw TooLarge();
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(BodyTimeout);
        using var bytes = new MemoryStream();
        var buffer = new byte[16 << 10];
        int read;
        while (request.HasEntityBody && (read = await request.InputStream.ReadAsync(buffer, limit.Token)) > 0)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > MaxBodyBytes)
            {
                throw TooLarge();
            }
        }

        if (bytes.Length == 0 && !route.Body.Any(field => field.IsRequired))
        {
            return JsonSerializer.SerializeToElement(new { });
        }

        JsonElement body;
        try
        {
            body = JsonSerializer.Deserialize<JsonElement>(bytes.ToArray());
        }
        catch (JsonException e)
        {
            throw ApiJson.Invalid($"the body is not JSON: {e.Message.TrimEnd('.')}");
        }

        if (body.ValueKind != JsonValueKind.Object)
        {
            throw ApiJson.Invalid("the body is not an object");
        }

        var unknown = body.EnumerateObject().Select(member => member.Name).FirstOrDefault(name => route.Body.All(field => field.Name != name));
        return unknown is null ? body : throw ApiJson.Invalid($"the body has \"{unknown}\", which is not a field of this request");
    }

    private bool IsAuthorized(HttpListenerRequest request) => _tokenHash is null
        || (request.Headers["Authorization"] is { } header && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            && CryptographicOperations.FixedTimeEquals(Hash(header["Bearer ".Length..].Trim()), _tokenHash));

    private static (int Status, byte[]? Content) NotAllowed(HttpListenerContext context, IEnumerable<string> methods)
    {
        var allowed = string.Join(", ", methods);
        context.Response.AddHeader("Allow", allowed);
        return (405, Error("MethodNotAllowed", $"{context.Request.HttpMethod} is not possible here; {allowed} is"));
    }

    private void Send(HttpListenerContext context, int status, byte[]? content)
    {
        try
        {
            var response = context.Response;
            response.StatusCode = status;

            // What was not read of a refused body is not read any more.
            response.KeepAlive = status < 400;
            if (content is null)
            {
                response.Close();
                return;
            }

            response.ContentType = "application/json";
            response.ContentLength64 = content.Length;
            if (context.Request.HttpMethod != "HEAD")
            {
                response.OutputStream.Write(content);
            }

            response.Close();
        }
        catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            Log.LostClient(_logger, e.Message);
        }
    }

    private static byte[] Error(string code, string message, AmpErrorKind kind = AmpErrorKind.InvalidInput) => Error(new AmpException(code, kind, message));

    private static byte[] Error(AmpException error) => JsonSerializer.SerializeToUtf8Bytes(ApiObjects.From(error), ApiJson.Options);

    private static int Status(AmpException exception) => exception switch
    {
        { ErrorCode: "RequestTooLarge" } => 413,
        { Kind: AmpErrorKind.InvalidInput } => 400,
        { Kind: AmpErrorKind.NotFound } => 404,
        { Kind: AmpErrorKind.Conflict or AmpErrorKind.InvalidState } => 409,
        { Kind: AmpErrorKind.Unavailable or AmpErrorKind.LimitReached } => 503,
        _ => 500,
    };

    private static AmpException TooLarge() => new("RequestTooLarge", AmpErrorKind.InvalidInput, $"the body is larger than {MaxBodyBytes >> 20} MiB");

    private static byte[] Hash(string text) => SHA256.HashData(Encoding.UTF8.GetBytes(text));

    private static string HostOf(IPAddress address) => address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetworkV6 ? $"[{address}]" : address.ToString();
}
