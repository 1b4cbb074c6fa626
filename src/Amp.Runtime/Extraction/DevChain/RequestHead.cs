using System.Globalization;
using System.Text;

namespace Amp.Extraction.DevChains;

/// <summary>What the server needs of a request's line and headers.</summary>
internal readonly record struct RequestHead
{
    /// <summary>Whether the method is POST.</summary>
    public bool IsPost { get; private init; }

    /// <summary>Bytes in the body, when it is not chunked.</summary>
    public long ContentLength { get; private init; }

    /// <summary>Whether the body comes in chunks.</summary>
    public bool IsChunked { get; private init; }

    /// <summary>Whether the client waits for a word before it sends the body.</summary>
    public bool ExpectsContinue { get; private init; }

    /// <summary>Whether the client may send another request on this connection.</summary>
    public bool KeepAlive { get; private init; }

    /// <summary>The client's key when it wants a WebSocket; null when not.</summary>
    public string? WebSocketKey { get; private init; }

    /// <summary>Reads a head up to and with its empty line; false when it is none.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out RequestHead head)
    {
        head = default;
        var lineEnd = bytes.IndexOf("\r\n"u8);
        var line = bytes[..lineEnd];
        var isHttp11 = line.EndsWith(" HTTP/1.1"u8);
        if (!isHttp11 && !line.EndsWith(" HTTP/1.0"u8))
        {
            return false;
        }

        var result = new RequestHead { IsPost = line.StartsWith("POST "u8), KeepAlive = isHttp11 };
        long? contentLength = null;
        for (bytes = bytes[(lineEnd + 2)..]; !bytes.StartsWith("\r\n"u8); bytes = bytes[(lineEnd + 2)..])
        {
            lineEnd = bytes.IndexOf("\r\n"u8);
            var colon = bytes[..lineEnd].IndexOf((byte)':');
            if (colon <= 0)
            {
                return false;
            }

            var name = bytes[..colon];
            var value = bytes[(colon + 1)..lineEnd].Trim(" \t"u8);
            if (Is(name, "content-length"))
            {
                // Two lengths that differ would leave it open where the next request starts.
                if (!long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var length)
                    || (contentLength is { } other && other != length))
                {
                    return false;
                }

                contentLength = length;
            }
            else if (Is(name, "transfer-encoding"))
            {
                if (!Is(value, "chunked"))
                {
                    return false;
                }

                result = result with { IsChunked = true };
            }
            else if (Is(name, "expect") && Is(value, "100-continue"))
            {
                result = result with { ExpectsContinue = true };
            }
            else if (Is(name, "sec-websocket-key"))
            {
                result = result with { WebSocketKey = Encoding.ASCII.GetString(value) };
            }
            else if (Is(name, "connection"))
            {
                result = result with { KeepAlive = !Is(value, "close") && (isHttp11 || Is(value, "keep-alive")) };
            }
        }

        head = result with { ContentLength = contentLength ?? 0 };
        return !(head.IsChunked && contentLength is not null);
    }

    /// <summary>Reads the size in a chunk's first line; extensions after it are ignored.</summary>
    public static bool TryParseChunkSize(ReadOnlySpan<byte> line, out long size)
    {
        var end = line.IndexOfAny((byte)';', (byte)'\r');
        return long.TryParse(line[..end].Trim(" \t"u8), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out size) && size >= 0;
    }

    private static bool Is(ReadOnlySpan<byte> text, string expected) => Ascii.EqualsIgnoreCase(text, expected);
}
