using System.Text;
using System.Text.Json;
using Amp.Extraction;
using Amp.Extraction.EvmRpc;
using Amp.Parquet;

namespace Amp.Bench;

/// <summary>The stages that take recorded answers from memory: reading their tokens, decoding them, and making files of them.</summary>
internal sealed class MemoryStages
{
    private const long BatchBytes = 1 << 20;
    private readonly (ulong Number, byte[] Block, byte[] Receipts)[] _blocks;

    private MemoryStages((ulong, byte[], byte[])[] blocks) => _blocks = blocks;

    /// <summary>Number of blocks.</summary>
    public int Count => _blocks.Length;

    /// <summary>Size of all answers.</summary>
    public long ByteCount => _blocks.Sum(block => (long)block.Block.Length + block.Receipts.Length);

    /// <summary>Reads what <see cref="ChainProcess.WriteAnswersAsync"/> wrote.</summary>
    public static MemoryStages Load(string folder, int first) => new(
    [
        .. File.ReadLines(Path.Combine(folder, "all.blocks.ndjson")).Zip(
            File.ReadLines(Path.Combine(folder, "all.receipts.ndjson")), (block, receipts) => ((ulong)first++, ResultOf(block), ResultOf(receipts))),
    ]);

    /// <summary>Reads all tokens with <see cref="Utf8JsonReader"/> and does nothing with them.</summary>
    public Task<StageResult> ReadTokensAsync(int threads) => RunAsync(threads, blocks =>
    {
        foreach (var (_, block, receipts) in blocks.Span)
        {
            ReadTokens(block);
            ReadTokens(receipts);
        }

        return Task.FromResult(0L);
    });

    /// <summary>Decodes all blocks into columns.</summary>
    public Task<StageResult> DecodeAsync(int threads) => RunAsync(threads, blocks =>
    {
        var decoder = new EvmBlockDecoder();
        var batch = new BlockBatch(EvmTables.All);
        foreach (var (number, block, receipts) in blocks.Span)
        {
            decoder.Decode(number, block, receipts, batch);
            if (batch.ByteCount >= BatchBytes)
            {
                batch.Clear();
            }
        }

        return Task.FromResult(0L);
    });

    /// <summary>Decodes all blocks and writes the three files of each thread's share, down to the disk.</summary>
    public async Task<StageResult> WriteAsync(int threads)
    {
        using var folder = new BenchFolder();
        return await RunAsync(threads, blocks => WriteAsync(blocks, Directory.CreateDirectory(Path.Combine(folder.Path, $"{blocks.Span[0].Number}")).FullName));
    }

    /// <summary>Reads all tokens of a text.</summary>
    public static void ReadTokens(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
        }
    }

    private static byte[] ResultOf(string answer)
    {
        var text = Encoding.UTF8.GetBytes(answer);
        return text[RpcEnvelope.Read(text)[0].Result];
    }

    private static async Task<long> WriteAsync(ReadOnlyMemory<(ulong Number, byte[] Block, byte[] Receipts)> blocks, string folder)
    {
        var decoder = new EvmBlockDecoder();
        using var batch = new BlockBatch(EvmTables.All);
        var streams = EvmTables.All.Select(table => File.Create(Path.Combine(folder, $"{table.Name}.parquet"))).ToArray();
        var writers = streams.Zip(EvmTables.All, (stream, table) => new ParquetFileWriter(stream, table, new ParquetWriterOptions())).ToArray();
        for (var i = 0; i < blocks.Length; i++)
        {
            var (number, block, receipts) = blocks.Span[i];
            decoder.Decode(number, block, receipts, batch);
            if (batch.ByteCount >= BatchBytes || i == blocks.Length - 1)
            {
                for (var table = 0; table < writers.Length; table++)
                {
                    await writers[table].WriteAsync(batch.Tables[table], CancellationToken.None);
                }

                batch.Clear();
            }
        }

        var size = 0L;
        for (var table = 0; table < writers.Length; table++)
        {
            await writers[table].CompleteAsync([], CancellationToken.None);
            writers[table].Dispose();
            streams[table].Flush(flushToDisk: true);
            size += streams[table].Length;
            await streams[table].DisposeAsync();
        }

        return size;
    }

    private Task<StageResult> RunAsync(int threads, Func<ReadOnlyMemory<(ulong Number, byte[] Block, byte[] Receipts)>, Task<long>> work) =>
        StageResult.MeasureAsync(Count, async () =>
        {
            threads = Math.Min(threads, Count);
            var parts = await Task.WhenAll(Enumerable.Range(0, threads)
                .Select(thread => Task.Run(() => work(_blocks.AsMemory((thread * Count / threads)..((thread + 1) * Count / threads))))));
            return parts.Sum();
        });
}
