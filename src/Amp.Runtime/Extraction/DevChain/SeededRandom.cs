using System.Buffers.Binary;

namespace Amp.Extraction.DevChains;

/// <summary>
/// A small generator (SplitMix64) whose numbers depend on nothing but its seed, on every machine and in every version
/// of .NET. Not for secrets.
/// </summary>
internal sealed class SeededRandom
{
    private ulong _state;

    /// <summary>One stream of numbers for each combination of the parts.</summary>
    public SeededRandom(ulong seed, ulong domain, ulong number) => _state = Mix(Mix(Mix(seed) + domain) + number);

    public ulong Next() => Mix(_state += 0x9e3779b97f4a7c15);

    /// <summary>A number from 0 to <paramref name="bound"/> - 1.</summary>
    public int Below(int bound) => (int)Math.BigMul(Next(), (ulong)bound, out _);

    /// <summary>A number from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public int Between(int least, int most) => least + Below(most - least + 1);

    /// <summary>True in <paramref name="percent"/> of 100 cases.</summary>
    public bool Chance(int percent) => Below(100) < percent;

    /// <summary>An item; the first ones come far more often than the last, as with accounts and tokens on a real chain.</summary>
    public T Favour<T>(T[] items)
    {
        var uniform = (Next() >> 11) * (1.0 / (1UL << 53));
        return items[(int)(items.Length * uniform * uniform * uniform)];
    }

    public byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        Fill(bytes);
        return bytes;
    }

    public void Fill(Span<byte> destination)
    {
        Span<byte> word = stackalloc byte[8];
        for (; !destination.IsEmpty; destination = destination[Math.Min(8, destination.Length)..])
        {
            BinaryPrimitives.WriteUInt64LittleEndian(word, Next());
            word[..Math.Min(8, destination.Length)].CopyTo(destination);
        }
    }

    private static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
        value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
        return value ^ (value >> 31);
    }
}
