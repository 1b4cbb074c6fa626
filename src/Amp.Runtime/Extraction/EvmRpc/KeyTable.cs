using System.Text;

namespace Amp.Extraction.EvmRpc;

/// <summary>
/// The keys of one kind of JSON object. A node writes the members of all its objects in the same order, so the key
/// that followed the same key last time is tried first: one comparison instead of a search. Not safe for use by two
/// threads at once.
/// </summary>
internal sealed class KeyTable
{
    private readonly string[] _names;
    private readonly byte[][] _keys;
    private readonly byte[][] _keysWithColon;

    // By key (the last entry: by the beginning of an object), the key that followed.
    private readonly int[] _next;
    private int _previous;

    /// <param name="names">The keys. Those that a caller skips speed up the reading of what follows them.</param>
    public KeyTable(IReadOnlyList<string> names)
    {
        _names = [.. names];
        _keys = [.. names.Select(Encoding.UTF8.GetBytes)];
        _keysWithColon = [.. names.Select(name => Encoding.UTF8.GetBytes($"\"{name}\":"))];
        _next = new int[names.Count + 1];
        _previous = names.Count;
    }

    /// <summary>What <see cref="Read"/> returns for a key that is not in the table.</summary>
    public int Unknown => _names.Length;

    /// <summary>The key read last, for errors; empty at the beginning of an object and for unknown keys.</summary>
    public string Current => _previous < _names.Length ? _names[_previous] : "";

    /// <summary>Name of a key.</summary>
    public string NameOf(int key) => _names[key];

    /// <summary>To be called at the beginning of every object.</summary>
    public void Begin() => _previous = _names.Length;

    /// <summary>Makes a key the one that errors are about, when its value is read later than its turn.</summary>
    public void MoveTo(int key) => _previous = key;

    /// <summary>Reads a key and the colon after it, and returns its index or <see cref="Unknown"/>.</summary>
    public int Read(ref JsonCursor json)
    {
        var guess = _next[_previous];
        if (json.TryAdvance(_keysWithColon[guess]))
        {
            _previous = guess;
            return guess;
        }

        return Find(json.ReadKey());
    }

    private int Find(ReadOnlySpan<byte> text)
    {
        if (text.Contains((byte)'\\'))
        {
            text = Unescape(text);
        }

        var key = 0;
        while (key < _keys.Length && !text.SequenceEqual(_keys[key]))
        {
            key++;
        }

        if (key < _keys.Length)
        {
            _next[_previous] = key;
        }

        _previous = key;
        return key;
    }

    private static byte[] Unescape(ReadOnlySpan<byte> text)
    {
        byte[] quoted = [(byte)'"', .. text, (byte)'"'];
        var reader = new System.Text.Json.Utf8JsonReader(quoted);
        try
        {
            reader.Read();
            return Encoding.UTF8.GetBytes(reader.GetString()!);
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or InvalidOperationException)
        {
            throw new DecodeException("is followed by a malformed key");
        }
    }
}
