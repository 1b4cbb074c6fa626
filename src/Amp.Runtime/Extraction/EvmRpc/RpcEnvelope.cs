using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace Amp.Extraction.EvmRpc;

/// <summary>What JSON-RPC 2.0 puts around calls and their results.</summary>
internal static class RpcEnvelope
{
    private const int MaxMessageLength = 300;

    /// <summary>An answer to one call.</summary>
    /// <param name="Id">The call's id; null when the node did not get so far as to read it.</param>
    /// <param name="Result">Where the result is in the answer; empty when there is none.</param>
    /// <param name="Error">The node's error; null when there is none.</param>
    public readonly record struct Item(long? Id, Range Result, (int Code, string Message)? Error)
    {
        /// <summary>Whether there is a result.</summary>
        public bool HasResult => !Result.Equals(default);
    }

    /// <summary>Writes calls with rising ids: one as an object, more as a list.</summary>
    public static void Write(PooledBytes destination, ReadOnlySpan<RpcCall> calls, long firstId, bool asList)
    {
        using var writer = new Utf8JsonWriter(destination);
        if (asList)
        {
            writer.WriteStartArray();
        }

        foreach (var call in calls)
        {
            writer.WriteStartObject();
            writer.WriteString("jsonrpc"u8, "2.0"u8);
            writer.WriteNumber("id"u8, firstId++);
            writer.WriteString("method"u8, call.Method);
            writer.WritePropertyName("params"u8);
            writer.WriteRawValue(call.Parameters, skipInputValidation: true);
            writer.WriteEndObject();
        }

        if (asList)
        {
            writer.WriteEndArray();
        }
    }

    /// <summary>Reads an answer, one or a list, and says where the results are.</summary>
    /// <exception cref="DecodeException">It is not JSON-RPC, or it is cut off.</exception>
    public static List<Item> Read(ReadOnlySpan<byte> answer)
    {
        var items = new List<Item>();
        var json = new JsonCursor(answer);
        if (json.IsArray())
        {
            for (var more = json.EnterArray(); more; more = json.NextElement())
            {
                items.Add(ReadItem(ref json, answer));
            }
        }
        else
        {
            items.Add(ReadItem(ref json, answer));
        }

        json.ExpectEnd();
        return items;
    }

    private static Item ReadItem(ref JsonCursor json, ReadOnlySpan<byte> answer)
    {
        long? id = null;
        Range result = default;
        (int, string)? error = null;
        for (var more = json.EnterObject(); more; more = json.NextMember())
        {
            var key = json.ReadKey();
            var start = json.Position;
            var isNull = json.TryNull();
            if (!isNull)
            {
                json.SkipValue();
            }

            if (key.SequenceEqual("result"u8))
            {
                result = start..json.Position;
            }
            else if (!isNull && key.SequenceEqual("error"u8))
            {
                error = ReadError(answer[start..json.Position]);
            }
            else if (!isNull && key.SequenceEqual("id"u8))
            {
                id = ReadId(answer[start..json.Position]);
            }
        }

        return new Item(id, result, error);
    }

    // Some nodes give an id back as text.
    private static long? ReadId(ReadOnlySpan<byte> text)
    {
        text = text.Trim(" \t\r\n\""u8);
        return Utf8Parser.TryParse(text, out long id, out var length) && length == text.Length ? id : null;
    }

    private static (int Code, string Message) ReadError(ReadOnlySpan<byte> text)
    {
        var code = 0;
        string? message = null;
        try
        {
            var reader = new Utf8JsonReader(text);
            using var document = JsonDocument.ParseValue(ref reader);
            if (document.RootElement.ValueKind == JsonValueKind.Object)
            {
                message = document.RootElement.TryGetProperty("message", out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
                code = document.RootElement.TryGetProperty("code", out value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : 0;
            }
        }
        catch (JsonException e)
        {
            throw new DecodeException($"its error is not well-formed: {e.Message}");
        }

        message ??= Encoding.UTF8.GetString(text);
        return (code, message.Length <= MaxMessageLength ? message : message[..MaxMessageLength] + "…");
    }
}
