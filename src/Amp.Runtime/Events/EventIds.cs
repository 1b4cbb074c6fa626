using System.Buffers.Binary;
using System.Security.Cryptography;

namespace Amp.Events;

/// <summary>
/// UUIDs of version 7 that rise strictly, also within a millisecond and when the clock steps back. Not safe for
/// concurrent use.
/// </summary>
internal sealed class EventIds(TimeProvider time)
{
    private const int CounterLimit = 1 << 12;

    private long _milliseconds;
    private int _counter;

    /// <summary>The next id; greater than every one before, as bytes and as text.</summary>
    public Guid Next()
    {
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        if (now > _milliseconds)
        {
            _milliseconds = now;
            _counter = 0;
        }
        else if (++_counter == CounterLimit)
        {
            // 4096 ids in a millisecond: borrow from the next one.
            _milliseconds++;
            _counter = 0;
        }

        Span<byte> bytes = stackalloc byte[16];
        RandomNumberGenerator.Fill(bytes[8..]);
        BinaryPrimitives.WriteInt64BigEndian(bytes, _milliseconds << 16 | 0x7000L | (long)_counter);
        bytes[8] = (byte)((bytes[8] & 0x3F) | 0x80);
        return new Guid(bytes, bigEndian: true);
    }
}
