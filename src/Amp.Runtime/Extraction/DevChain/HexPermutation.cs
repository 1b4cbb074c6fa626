using System.Runtime.Intrinsics;

namespace Amp.Extraction.DevChains;

/// <summary>
/// Replaces hex digits by others: a permutation of 1 to f, 0 stays 0. So zeros, which compress well and carry meaning
/// (padding, quantities without leading zeros), stay where they are, and everything equal stays equal.
/// </summary>
internal readonly struct HexPermutation
{
    private const ulong Domain = 3;

    // For each value of a digit the digit, as text, that replaces it.
    private readonly Vector128<byte> _digits;

    private HexPermutation(ReadOnlySpan<byte> digits) => _digits = Vector128.Create(digits);

    /// <summary>A permutation that follows from a seed and a number.</summary>
    public HexPermutation(ulong seed, ulong number)
    {
        Span<byte> digits = stackalloc byte[16];
        "0123456789abcdef"u8.CopyTo(digits);
        var random = new SeededRandom(seed, Domain, number);
        for (var i = 15; i > 1; i--)
        {
            var other = 1 + random.Below(i);
            (digits[i], digits[other]) = (digits[other], digits[i]);
        }

        this = new HexPermutation(digits);
    }

    /// <summary>The permutation that changes nothing (but upper-case digits to lower case).</summary>
    public static HexPermutation Identity { get; } = new("0123456789abcdef"u8);

    /// <summary>Replaces hex digits, given as ASCII text, in place.</summary>
    public void Apply(Span<byte> digits)
    {
        var i = 0;
        for (; i <= digits.Length - Vector128<byte>.Count; i += Vector128<byte>.Count)
        {
            Replace(Vector128.Create<byte>(digits[i..])).CopyTo(digits[i..]);
        }

        for (; i < digits.Length; i++)
        {
            digits[i] = _digits[(digits[i] & 0xf) + (digits[i] > '9' ? 9 : 0)];
        }
    }

    /// <summary>Replaces the digits of a hash.</summary>
    public Hash32 Apply(Hash32 hash)
    {
        Span<byte> bytes = stackalloc byte[32];
        Span<byte> digits = stackalloc byte[64];
        hash.CopyTo(bytes);
        Convert.TryToHexStringLower(bytes, digits, out _);
        Apply(digits);
        Convert.FromHexString(digits, bytes, out _, out _);
        return new Hash32(bytes);
    }

    private Vector128<byte> Replace(Vector128<byte> text)
    {
        var letters = Vector128.GreaterThan(text, Vector128.Create((byte)'9'));
        var values = (text & Vector128.Create((byte)0xf)) + (letters & Vector128.Create((byte)9));
        return Vector128.Shuffle(_digits, values);
    }
}
