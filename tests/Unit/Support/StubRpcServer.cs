using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Amp.Support;

/// <summary>A JSON-RPC server on loopback that answers, or misbehaves, as the test says.</summary>
internal sealed class StubRpcServer : IAsyncDisposable
{
    private readonly HttpListener _listener = new();
    private readonly ConcurrentDictionary<Task, byte> _answers = new();
    private readonly Task _loop;
    private int _requests;
    private int _underWay;
    private int _mostUnderWay;

    /// <summary>Starts a server that answers each call with what <paramref name="answer"/> returns: JSON of a result.</summary>
    public StubRpcServer(Func<string, JsonElement, string> answer)
    {
        Answer = answer;
        Url = Listen();
        _loop = Task.Run(LoopAsync);
    }

    /// <summary>Takes a port that was free a moment ago; when another test was faster, takes another.</summary>
    private Uri Listen()
    {
        while (true)
        {
            using var free = new TcpListener(IPAddress.Loopback, 0);
            free.Start();
            var url = new Uri($"http://127.0.0.1:{((IPEndPoint)free.LocalEndpoint).Port}/");
            free.Stop();
            _listener.Prefixes.Clear();
            _listener.Prefixes.Add(url.ToString());
            try
            {
                _listener.Start();
                return url;
            }
            catch (HttpListenerException)
            {
                // Taken meanwhile.
            }
        }
    }

    /// <summary>Where it listens.</summary>
    public Uri Url { get; }

    /// <summary>Result of a call, by method and parameters.</summary>
    public Func<string, JsonElement, string> Answer { get; set; }

    /// <summary>
    /// Handles a request in another way, by its number (from 1); returns false to have it answered as usual. Whoever
    /// handles it ends the response.
    /// </summary>
    public Func<int, HttpListenerContext, string, Task<bool>> Handle { get; set; } = (_, _, _) => Task.FromResult(false);

    /// <summary>Requests that have come in.</summary>
    public int RequestCount => Volatile.Read(ref _requests);

    /// <summary>Requests that have come in and not been answered.</summary>
    public int UnderWay => Volatile.Read(ref _underWay);

    /// <summary>Most requests that were under way at once.</summary>
    public int MostUnderWay => Volatile.Read(ref _mostUnderWay);

    /// <summary>Bodies of the requests.</summary>
    public ConcurrentQueue<string> Bodies { get; } = new();

    /// <summary>Answers with a status and a text.</summary>
    public static async Task<bool> RespondAsync(HttpListenerContext context, int status, string body, params (string Name, string Value)[] headers)
    {
        context.Response.StatusCode = status;
        foreach (var (name, value) in headers)
        {
            context.Response.AddHeader(name, value);
        }

        await context.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(body));
        context.Response.Close();
        return true;
    }

    /// <summary>What the server would answer to a request: the calls' answers in their order.</summary>
    public List<string> AnswersTo(string body)
    {
        using var document = JsonDocument.Parse(body);
        var calls = document.RootElement.ValueKind == JsonValueKind.Array ? [.. document.RootElement.EnumerateArray()] : new[] { document.RootElement };
        return [.. calls.Select(call =>
            $"{{\"jsonrpc\":\"2.0\",\"id\":{call.GetProperty("id")},\"result\":{Answer(call.GetProperty("method").GetString()!, call.GetProperty("params"))}}}")];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _listener.Abort();
        await _loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_answers.Keys).WaitAsync(TimeSpan.FromSeconds(10)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task LoopAsync()
    {
        while (true)
        {
            var context = await _listener.GetContextAsync();
            var answer = Task.Run(() => ServeAsync(context));
            _answers[answer] = 0;
        }
    }

    private async Task ServeAsync(HttpListenerContext context)
    {
        var underWay = Interlocked.Increment(ref _underWay);
        int most;
        while (underWay > (most = _mostUnderWay) && Interlocked.CompareExchange(ref _mostUnderWay, underWay, most) != most)
        {
        }

        try
        {
            var number = Interlocked.Increment(ref _requests);
            using var reader = new StreamReader(context.Request.InputStream, Encoding.UTF8);
            var body = await reader.ReadToEndAsync();
            Bodies.Enqueue(body);
            if (await Handle(number, context, body))
            {
                return;
            }

            var answers = AnswersTo(body);
            await RespondAsync(context, 200, body.StartsWith('[') ? $"[{string.Join(',', answers)}]" : answers[0]);
        }
        catch (Exception e) when (e is HttpListenerException or IOException or ObjectDisposedException)
        {
            // The client went away, which some tests want.
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }
}
