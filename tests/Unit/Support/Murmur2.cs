using System.Buffers.Binary;
using System.Text;

namespace Amp.Support;

/// <summary>The hash by which Kafka's Java client places keys on partitions, written from its definition.</summary>
internal static class Murmur2
{
    private const int Multiplier = 0x5bd1e995;
    private const uint Seed = 0x9747b28c;

    public static int Hash(string key)
    {
        ReadOnlySpan<byte> data = Encoding.UTF8.GetBytes(key);
        unchecked
        {
            var hash = (int)Seed ^ data.Length;
            for (; data.Length >= 4; data = data[4..])
            {
                var word = BinaryPrimitives.ReadInt32LittleEndian(data) * Multiplier;
                word ^= word >>> 24;
                hash = (hash * Multiplier) ^ (word * Multiplier);
            }

            for (var i = data.Length - 1; i >= 0; i--)
            {
                hash ^= data[i] << (8 * i);
            }

            if (data.Length > 0)
            {
                hash *= Multiplier;
            }

            hash = (hash ^ (hash >>> 13)) * Multiplier;
            return hash ^ (hash >>> 15);
        }
    }

    public static int Partition(string key, int partitions) => (Hash(key) & 0x7fffffff) % partitions;
}
