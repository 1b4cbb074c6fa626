using System.Diagnostics;
using System.Text.Json;
using Amp.Extraction;
using Amp.Extraction.EvmRpc;
using Amp.Parquet;

namespace Amp.Bench;

/// <summary>What a stage of extraction cost.</summary>
/// <param name="Blocks">Blocks it took.</param>
/// <param name="Seconds">How long it took.</param>
/// <param name="CpuSeconds">Processor time of its process.</param>
/// <param name="AllocatedBytes">Bytes allocated on the managed heap.</param>
/// <param name="OutputBytes">Size of the files it made.</param>
/// <param name="PeakMegabytes">Largest working set of its process; 0 where that says nothing.</param>
internal sealed record StageResult(int Blocks, double Seconds, double CpuSeconds, long AllocatedBytes = 0, long OutputBytes = 0, double PeakMegabytes = 0)
{
    /// <summary>Blocks a second.</summary>
    public double Rate => Blocks / Seconds;

    /// <summary>Processor seconds for 1,000 blocks.</summary>
    public double CpuPerThousand => CpuSeconds * 1000 / Blocks;

    /// <summary>Runs some work and measures it.</summary>
    public static async Task<StageResult> MeasureAsync(int blocks, Func<Task<long>> work)
    {
        GC.Collect();
        using var self = Process.GetCurrentProcess();
        var (cpu, allocated, clock) = (self.TotalProcessorTime, GC.GetTotalAllocatedBytes(precise: true), Stopwatch.StartNew());
        var output = await work();
        clock.Stop();
        self.Refresh();
        return new StageResult(
            blocks, clock.Elapsed.TotalSeconds, (self.TotalProcessorTime - cpu).TotalSeconds,
            GC.GetTotalAllocatedBytes(precise: true) - allocated, output, self.PeakWorkingSet64 / 1e6);
    }
}

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

    /// <summary>Reads all blocks of a folder.</summary>
    public static MemoryStages Load(string folder) => new(
    [
        .. Directory.GetFiles(folder, "*.block.json").Select(path => (ulong.Parse(Path.GetFileName(path).Split('.')[0], null), path)).OrderBy(file => file.Item1)
            .Select(file => (file.Item1, File.ReadAllBytes(file.path), File.ReadAllBytes(file.path.Replace(".block.", ".receipts.", StringComparison.Ordinal)))),
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
        return await RunAsync(threads, blocks => WriteAsync(blocks, Directory.CreateDirectory(Path.Combine(folder.Path, Guid.NewGuid().ToString("n"))).FullName));
    }

    /// <summary>Reads all tokens of a text.</summary>
    public static void ReadTokens(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json);
        while (reader.Read())
        {
        }
    }

    private static async Task<long> WriteAsync(ReadOnlyMemory<(ulong Number, byte[] Block, byte[] Receipts)> blocks, string folder)
    {
        var decoder = new EvmBlockDecoder();
        using var batch = new BlockBatch(EvmTables.All);
        var streams = EvmTables.All.Select(table => new FileStream(Path.Combine(folder, table.Name + ".parquet"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 1 << 16)).ToArray();
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
            var share = (Count + threads - 1) / threads;
            var parts = await Task.WhenAll(Enumerable.Range(0, threads)
                .Select(thread => Task.Run(() => work(_blocks.AsMemory(Math.Min(Count, thread * share)..Math.Min(Count, (thread + 1) * share))))));
            return parts.Sum();
        });
}
