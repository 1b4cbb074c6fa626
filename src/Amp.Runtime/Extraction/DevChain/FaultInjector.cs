using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Amp.Extraction.DevChains;

/// <summary>
/// Stands between a connection and the <see cref="RpcDispatcher"/> and spoils answers as <see cref="Faults"/> say.
/// Safe for use by several threads.
/// </summary>
internal sealed class FaultInjector(RpcDispatcher dispatcher)
{
    private const string ErrorPage = "<html><body>nginx</body></html>";

    private static readonly string[] ServerErrors =
        ["500 Internal Server Error", "502 Bad Gateway", "503 Service Unavailable", "504 Gateway Timeout"];

    private readonly ConcurrentDictionary<string, (int Times, int Disturbed)> _history = new();
    private readonly ConcurrentDictionary<DevChainFault, int> _injected = new();
    private int _underWay;
    private int _requests;
    private int _refusals;

    /// <summary>How the chain misbehaves now; null: not at all.</summary>
    public DevChainFaults? Faults { get; set; }

    /// <summary>Answers from the chain before the last reorg; null before the first.</summary>
    public RpcDispatcher? Older { get; set; }

    /// <summary>Requests that came.</summary>
    public int RequestCount => Volatile.Read(ref _requests);

    /// <summary>Requests that were refused because of their size, or because there were too many.</summary>
    public int RefusalCount => Volatile.Read(ref _refusals);

    /// <summary>How often each fault happened.</summary>
    public IReadOnlyDictionary<DevChainFault, int> Injected => _injected;

    /// <summary>Writes the answer to a request's body, or what comes instead, and tells how to send it.</summary>
    public async ValueTask<RpcReply> AnswerAsync(ReadOnlyMemory<byte> body, ResponseBuffer output, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _requests);
        if (Faults is not { } faults)
        {
            dispatcher.Answer(body, output);
            return RpcReply.Ok;
        }

        var atOnce = Interlocked.Increment(ref _underWay);
        try
        {
            if (faults.Latency > TimeSpan.Zero)
            {
                await Task.Delay(faults.Latency, cancellationToken);
            }

            return await MisbehaveAsync(faults, atOnce, body, output, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _underWay);
        }
    }

    private async ValueTask<RpcReply> MisbehaveAsync(
        DevChainFaults faults, int atOnce, ReadOnlyMemory<byte> body, ResponseBuffer output, CancellationToken cancellationToken)
    {
        var request = JsonNode.Parse(body.Span);
        JsonNode[] calls = request is JsonArray batch ? [.. batch.OfType<JsonNode>()] : [request!];
        if (calls.Length > faults.LargestBatch)
        {
            return Refuse(faults, output, "413 Content Too Large", -32600, "batch too large");
        }

        if (atOnce > faults.MostAtOnce)
        {
            return Refuse(faults, output, "429 Too Many Requests", -32005, "request rate exceeded");
        }

        var key = "request " + KeyOf(calls[0]);
        var fault = Choose(
            faults, key, kind => kind < DevChainFault.Shuffled || (kind == DevChainFault.Shuffled && calls.Length > 1), out var random);
        switch (fault)
        {
            case DevChainFault.TooManyRequests:
                return new RpcReply("429 Too Many Requests");
            case DevChainFault.TooManyRequestsRetryAfter:
                return new RpcReply("429 Too Many Requests", "Retry-After: 1\r\n");
            case DevChainFault.ServerError:
                Write(output, ErrorPage);
                return new RpcReply(ServerErrors[random.Below(ServerErrors.Length)]);
            case DevChainFault.ConnectionReset:
                return RpcReply.Ok with { End = RpcReplyEnd.Reset };
            case DevChainFault.Hang:
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
                break;
            case DevChainFault.EmptyBody:
                return RpcReply.Ok;
            case DevChainFault.NotJson:
                Write(output, ErrorPage);
                return RpcReply.Ok;
            case DevChainFault.RequestError:
                Write(output, Error(null, -32603, "internal error").ToJsonString());
                return RpcReply.Ok;
            case DevChainFault.RateLimitError:
                Write(output, Error(null, -32005, "daily request rate exceeded, slow down").ToJsonString());
                return RpcReply.Ok;
        }

        dispatcher.Answer(body, output);
        var answers = Spoil(faults, calls, JsonNode.Parse(output.Body.Span)!, output.BodyLength);
        if (answers is null)
        {
            output.Clear();
            return Refuse(faults, output, "413 Content Too Large", -32003, "response too large");
        }

        if (fault == DevChainFault.Shuffled)
        {
            var order = Enumerable.Range(0, answers.Count).OrderBy(_ => random.Next()).ToArray();
            answers = [.. order.Select(i => answers[i])];
        }

        var text = request is JsonArray ? $"[{string.Join(',', answers)}]" : answers[0];
        output.Clear();
        Write(output, fault == DevChainFault.TruncatedJson ? text[..random.Between(1, text.Length - 1)] : text);
        return fault == DevChainFault.CutOff ? RpcReply.Ok with { End = RpcReplyEnd.CutOff } : RpcReply.Ok;
    }

    // The answers as they go out; null when they are too large altogether and the limit is told by a status.
    private List<string>? Spoil(DevChainFaults faults, JsonNode[] calls, JsonNode answer, int length)
    {
        JsonNode[] items = answer is JsonArray list ? [.. list.OfType<JsonNode>()] : [answer];
        if (length > faults.LargestAnswer && faults.RefusesByStatus)
        {
            return null;
        }

        var answers = new List<string>();
        var bytes = 0;
        foreach (var (call, item) in calls.Zip(items))
        {
            var text = Spoil(faults, call, item)?.ToJsonString();
            if (text is null)
            {
                continue;
            }

            bytes += text.Length;
            if (bytes > faults.LargestAnswer)
            {
                text = Error(item["id"], -32003, "response too large").ToJsonString();
                Interlocked.Increment(ref _refusals);
            }

            answers.Add(text);
        }

        return answers;
    }

    // An answer as it goes out; null when it does not.
    private JsonNode? Spoil(DevChainFaults faults, JsonNode call, JsonNode item)
    {
        var method = (string?)call["method"];
        if (faults.WithoutBlockReceipts && method == "eth_getBlockReceipts")
        {
            return Error(item["id"], -32601, "the method eth_getBlockReceipts does not exist/is not available");
        }

        var isBlock = method == "eth_getBlockByNumber";
        var isReceipts = method is "eth_getBlockReceipts" or "eth_getTransactionReceipt" && item["result"] is JsonObject or JsonArray { Count: > 0 };
        var fault = Choose(
            faults,
            KeyOf(call),
            kind => kind is DevChainFault.CallError or DevChainFault.MissingAnswer
                || (Older is not null && kind == DevChainFault.OlderFork)
                || (method == "eth_blockNumber" && kind == DevChainFault.LaggingHead)
                || (isBlock && kind == DevChainFault.NullBlock)
                || (isReceipts && kind >= DevChainFault.ReceiptsNull),
            out var random);
        switch (fault)
        {
            case DevChainFault.CallError:
                return Error(item["id"], random.Chance(50) ? -32000 : -32603, "header not found");
            case DevChainFault.MissingAnswer when call.Parent is JsonArray { Count: > 1 }:
                return null;
            case DevChainFault.MissingAnswer:
                item["id"] = -1;
                break;
            case DevChainFault.OlderFork:
                using (var older = new ResponseBuffer())
                {
                    Older!.Answer(Encoding.UTF8.GetBytes(call.ToJsonString()), older);
                    return JsonNode.Parse(older.Body.Span);
                }

            case DevChainFault.LaggingHead:
                var head = Convert.ToUInt64((string)item["result"]!, 16);
                item["result"] = $"0x{head - Math.Min(head, (ulong)random.Between(1, 3)):x}";
                break;
            case DevChainFault.NullBlock or DevChainFault.ReceiptsNull:
                item["result"] = null;
                break;
            case DevChainFault.ReceiptsEmpty:
                item["result"] = item["result"] is JsonArray ? new JsonArray() : null;
                break;
            case DevChainFault.ReceiptsIncomplete:
                if (item["result"] is JsonArray receipts)
                {
                    receipts.RemoveAt(receipts.Count - 1);
                }
                else
                {
                    item["result"] = null;
                }

                break;
            case DevChainFault.ReceiptsOfAnotherFork:
                ReplaceEverywhere(item["result"]!, "blockHash", Hash(random));
                break;
            case DevChainFault.ReceiptsMismatched:
                var receipt = item["result"] is JsonArray all ? all[random.Below(all.Count)]! : item["result"]!;
                receipt["transactionHash"] = Hash(random);
                break;
        }

        return item;
    }

    private DevChainFault Choose(DevChainFaults faults, string key, Func<DevChainFault, bool> isPossible, out SeededRandom random)
    {
        var (times, _) = _history.AddOrUpdate(key, (1, 0), (_, seen) => (seen.Times + 1, seen.Disturbed));
        random = new SeededRandom(faults.Seed, StableHash(key), (ulong)times);
        var roll = (random.Next() >> 11) * (1.0 / (1UL << 53));
        if (_history[key].Disturbed >= faults.MostPerCall)
        {
            return DevChainFault.None;
        }

        foreach (var (fault, chance) in faults.Chances.OrderBy(pair => pair.Key))
        {
            if (isPossible(fault) && (roll -= chance) < 0)
            {
                _history.AddOrUpdate(key, (1, 1), (_, seen) => (seen.Times, seen.Disturbed + 1));
                _injected.AddOrUpdate(fault, 1, (_, count) => count + 1);
                return fault;
            }
        }

        return DevChainFault.None;
    }

    private RpcReply Refuse(DevChainFaults faults, ResponseBuffer output, string status, int code, string message)
    {
        Interlocked.Increment(ref _refusals);
        if (faults.RefusesByStatus)
        {
            return new RpcReply(status);
        }

        Write(output, Error(null, code, message).ToJsonString());
        return RpcReply.Ok;
    }

    private static JsonObject Error(JsonNode? id, int code, string message) => new()
    {
        ["jsonrpc"] = "2.0",
        ["id"] = id?.DeepClone(),
        ["error"] = new JsonObject { ["code"] = code, ["message"] = message },
    };

    private static void ReplaceEverywhere(JsonNode node, string key, string value)
    {
        switch (node)
        {
            case JsonArray items:
                foreach (var item in items.OfType<JsonNode>())
                {
                    ReplaceEverywhere(item, key, value);
                }

                break;
            case JsonObject members:
                foreach (var member in members.ToList())
                {
                    if (member.Key == key)
                    {
                        members[key] = value;
                    }
                    else if (member.Value is not null)
                    {
                        ReplaceEverywhere(member.Value, key, value);
                    }
                }

                break;
        }
    }

    private static string KeyOf(JsonNode call) => $"{call["method"]} {call["params"]?.ToJsonString()}";

    private static string Hash(SeededRandom random) => $"0x{Convert.ToHexStringLower(random.Bytes(32))}";

    // FNV-1a: .NET's own hash of a text is another one in each process.
    private static ulong StableHash(string text) => text.Aggregate(0xcbf29ce484222325, (hash, next) => (hash ^ next) * 0x100000001b3);

    private static void Write(ResponseBuffer output, string text) => Encoding.UTF8.GetBytes(text, output);
}
