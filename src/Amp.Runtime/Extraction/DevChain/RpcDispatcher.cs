using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Amp.Extraction.DevChains;

/// <summary>
/// Answers JSON-RPC 2.0 requests, single ones and batches, from a chain. Knows nothing of HTTP. Safe for use by
/// several threads.
/// </summary>
internal sealed class RpcDispatcher(ChainStore chain, IBlockMaker maker)
{
    private const int MostCallsInBatch = 1000;
    private const int MostResponseBytes = 256 * 1024 * 1024;

    // As dev nodes without consensus put it: an epoch (32 blocks) back is safe, two are final.
    private const ulong SafeDistance = 32;
    private const ulong FinalizedDistance = 64;

    /// <summary>Writes the answer to a request's body; nothing when it asks for none (notifications).</summary>
    public void Answer(ReadOnlyMemory<byte> body, ResponseBuffer output)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(body);
        }
        catch (JsonException)
        {
            WriteError(output, "null"u8, RpcError.ParseError());
            return;
        }

        using (document)
        {
            if (document.RootElement.ValueKind == JsonValueKind.Array)
            {
                AnswerBatch(document.RootElement, output);
            }
            else
            {
                AnswerCall(document.RootElement, output);
            }
        }
    }

    private void AnswerBatch(JsonElement batch, ResponseBuffer output)
    {
        if (batch.GetArrayLength() is 0 or > MostCallsInBatch)
        {
            WriteError(output, "null"u8, RpcError.InvalidRequest(batch.GetArrayLength() == 0 ? "empty batch" : "batch too large"));
            return;
        }

        var answered = false;
        foreach (var call in batch.EnumerateArray())
        {
            if (!IsNotification(call))
            {
                output.Write(answered ? ","u8 : "["u8);
                answered = true;
            }

            AnswerCall(call, output);
        }

        if (answered)
        {
            output.Write("]"u8);
        }
    }

    private void AnswerCall(JsonElement call, ResponseBuffer output)
    {
        if (IsNotification(call))
        {
            return;
        }

        var id = call.ValueKind == JsonValueKind.Object && call.TryGetProperty("id", out var given)
            && given.ValueKind is JsonValueKind.Number or JsonValueKind.String
            ? JsonMarshal.GetRawUtf8Value(given)
            : "null"u8;
        try
        {
            if (call.ValueKind != JsonValueKind.Object
                || !call.TryGetProperty("method", out var method) || method.ValueKind != JsonValueKind.String
                || !call.TryGetProperty("jsonrpc", out var version) || version.ValueKind != JsonValueKind.String || !version.ValueEquals("2.0"u8))
            {
                throw RpcError.InvalidRequest();
            }

            if (output.BodyLength > MostResponseBytes)
            {
                throw RpcError.ResponseTooLarge();
            }

            // Every method checks its parameters before it asks for the place to write to.
            Invoke(NameOf(method), Parameters.Of(call), new Answerer(output, id));
        }
        catch (RpcError error)
        {
            WriteError(output, id, error);
        }
    }

    private static string NameOf(JsonElement method)
    {
        try
        {
            return method.GetString()!;
        }
        catch (InvalidOperationException)
        {
            // An escaped half of a surrogate pair is JSON, but no text.
            throw RpcError.InvalidRequest();
        }
    }

    private static bool IsNotification(JsonElement call) =>
        call.ValueKind == JsonValueKind.Object && !call.TryGetProperty("id", out _)
        && call.TryGetProperty("method", out var method) && method.ValueKind == JsonValueKind.String;

    private void Invoke(string method, Parameters parameters, Answerer answer)
    {
        switch (method)
        {
            case "eth_chainId":
                answer.Write(output => output.WriteQuantity(maker.ChainId));
                break;
            case "eth_blockNumber":
                answer.Write(output => output.WriteQuantity(chain.Head));
                break;
            case "net_version":
                answer.Write(output => output.WriteText(maker.ChainId.ToString(CultureInfo.InvariantCulture)));
                break;
            case "web3_clientVersion":
                answer.Write(output => output.WriteText("AmpDevChain/1"));
                break;
            case "eth_syncing":
                answer.Write(output => output.Write("false"u8));
                break;
            case "eth_getBlockByNumber":
                AnswerBlock(FindBlock(parameters.Tag(0)), parameters.Flag(1), answer);
                break;
            case "eth_getBlockByHash":
                AnswerBlock(FindBlock(parameters.Hash(0)), parameters.Flag(1), answer);
                break;
            case "eth_getBlockReceipts":
                var block = parameters.IsHash(0) ? FindBlock(parameters.Hash(0)) : FindBlock(parameters.Tag(0));
                answer.Write(block, maker.WriteReceipts);
                break;
            case "eth_getTransactionByHash":
                AnswerTransaction(parameters.Hash(0), maker.WriteTransaction, answer);
                break;
            case "eth_getTransactionReceipt":
                AnswerTransaction(parameters.Hash(0), maker.WriteReceipt, answer);
                break;
            default:
                throw RpcError.MethodNotFound(method);
        }
    }

    private void AnswerBlock(DevLink? block, bool fullTransactions, Answerer answer) =>
        answer.Write(block, (link, output) => maker.WriteBlock(link, fullTransactions, output));

    private void AnswerTransaction(Hash32 hash, Action<DevLink, int, IBufferWriter<byte>> write, Answerer answer)
    {
        DevLink? found = chain.TryGetTransaction(hash, out var block, out var index) ? block : null;
        answer.Write(found, (link, output) => write(link, index, output));
    }

    private DevLink? FindBlock(Hash32 hash) => chain.TryGet(hash, out var block) ? block : null;

    private DevLink? FindBlock(string tag)
    {
        var head = chain.Head;
        var number = tag switch
        {
            "latest" or "pending" => head,
            "safe" => Math.Max(chain.First, head - Math.Min(head, SafeDistance)),
            "finalized" => Math.Max(chain.First, head - Math.Min(head, FinalizedDistance)),
            "earliest" => chain.First,
            _ => Parameters.Number(tag),
        };
        return chain.TryGet(number, out var block) ? block : null;
    }

    private static void WriteError(ResponseBuffer output, ReadOnlySpan<byte> id, RpcError error)
    {
        output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
        output.Write(id);
        output.Write(",\"error\":{\"code\":"u8);
        output.Write(Encoding.ASCII.GetBytes(error.Code.ToString(CultureInfo.InvariantCulture)));
        output.Write(",\"message\":"u8);
        output.WriteText(error.Message);
        output.Write("}}"u8);
    }

    /// <summary>Writes a result in its envelope.</summary>
    private readonly ref struct Answerer(ResponseBuffer output, ReadOnlySpan<byte> id)
    {
        private readonly ReadOnlySpan<byte> _id = id;

        public void Write(Action<IBufferWriter<byte>> writeResult)
        {
            output.Write("{\"jsonrpc\":\"2.0\",\"id\":"u8);
            output.Write(_id);
            output.Write(",\"result\":"u8);
            writeResult(output);
            output.Write("}"u8);
        }

        public void Write(DevLink? block, Action<DevLink, IBufferWriter<byte>> writeResult) =>
            Write(target =>
            {
                if (block is { } link)
                {
                    writeResult(link, target);
                }
                else
                {
                    target.Write("null"u8);
                }
            });
    }
}
