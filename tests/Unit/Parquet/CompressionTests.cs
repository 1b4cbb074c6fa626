using System.Text;
using Amp.Parquet.Compression;

namespace Amp.Parquet;

public sealed class CompressionTests
{
    public static TheoryData<byte[]> Inputs
    {
        get
        {
            var random = new Random(5);
            var noise = new byte[200_000];
            random.NextBytes(noise);
            var text = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 30_000).Select(i => $"transfer {i % 97} to {i * 31 % 1009};")));
            var mixed = noise.Select((b, i) => i / 1000 % 2 == 0 ? b : (byte)(i / 5000)).ToArray();
            var data = new TheoryData<byte[]> { noise, text, mixed, new byte[300_000], Encoding.ASCII.GetBytes("abcabcabcabcabcabcabcabcabc") };
            for (var length = 0; length < 40; length++)
            {
                data.Add(new byte[length]);
                data.Add(noise[..length]);
                data.Add([.. noise[..7], .. noise[..7], .. noise[..length]]);
            }

            for (var i = 0; i < 60; i++)
            {
                // Few different bytes: many matches of all lengths and distances.
                var few = new byte[random.Next(100_000)];
                for (var j = 0; j < few.Length; j++)
                {
                    few[j] = (byte)random.Next(1 + (i % 4));
                }

                data.Add(few);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Inputs), DisableDiscoveryEnumeration = true)]
    public void SnappyAndLz4_RoundTrip(byte[] input)
    {
        var output = new byte[input.Length];
        BlockDecompressor.Snappy(Compress(ParquetCodec.Snappy, input), output);
        Assert.Equal(input, output);

        Array.Clear(output);
        BlockDecompressor.Lz4(Compress(ParquetCodec.Lz4Raw, input), output);
        Assert.Equal(input, output);
    }

    [Theory]
    [InlineData(nameof(ParquetCodec.Snappy))]
    [InlineData(nameof(ParquetCodec.Lz4Raw))]
    public void Decompress_WhenBytesAreDamaged_NeverReadsOutside(string codecName)
    {
        var codec = Enum.Parse<ParquetCodec>(codecName);
        var random = new Random(9);
        var input = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 200).Select(i => $"log {i % 13} ")));
        var compressed = Compress(codec, input);
        var refused = 0;
        for (var i = 0; i < 5000; i++)
        {
            var damaged = compressed[..random.Next(1, compressed.Length + 1)].ToArray();
            damaged[random.Next(damaged.Length)] = (byte)random.Next(256);
            try
            {
                var output = new byte[input.Length];
                if (codec == ParquetCodec.Snappy)
                {
                    BlockDecompressor.Snappy(damaged, output);
                }
                else
                {
                    BlockDecompressor.Lz4(damaged, output);
                }
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }

        Assert.True(refused > 4000, $"only {refused} of 5000 damaged blocks were refused");
    }

    [Theory]
    [InlineData(nameof(ParquetCodec.Zstd), 0)]
    [InlineData(nameof(ParquetCodec.Zstd), 23)]
    [InlineData(nameof(ParquetCodec.Gzip), 10)]
    [InlineData(nameof(ParquetCodec.Brotli), 12)]
    public void Create_WhenLevelDoesNotExist_IsRefused(string codecName, int level)
    {
        var codec = Enum.Parse<ParquetCodec>(codecName);
        var error = Assert.Throws<AmpException>(() => PageCompressor.Create(codec, level));

        Assert.Equal("CompressionLevelInvalid", error.ErrorCode);
    }

    private static byte[] Compress(ParquetCodec codec, byte[] input)
    {
        using var compressor = PageCompressor.Create(codec, 1);
        using var output = new ByteBuffer();
        compressor.Compress(input, output);
        return output.Written.ToArray();
    }
}
