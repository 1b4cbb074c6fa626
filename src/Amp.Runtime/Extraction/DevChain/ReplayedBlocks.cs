using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Amp.Extraction.Crypto;

namespace Amp.Extraction.DevChains;

/// <summary>
/// Recorded blocks as a chain of any length: renumbered, linked by hashes of their own, and varied. Nothing is kept but
/// the recordings; a block is a copy of one with what differs patched in.
/// </summary>
internal sealed class ReplayedBlocks : IBlockMaker
{
    private readonly DevChainOptions _options;
    private readonly Recording[] _recordings;

    private ReplayedBlocks(DevChainOptions options, Recording[] recordings)
    {
        _options = options;
        _recordings = recordings;
        ChainId = options.ChainId
            ?? recordings.Select(recording => recording.ChainId).FirstOrDefault(id => id is not null)
            ?? DevChainOptions.DefaultChainId;
    }

    /// <inheritdoc/>
    public ulong ChainId { get; }

    /// <summary>Reads the recordings.</summary>
    /// <exception cref="AmpException"><c>ReplayNotFound</c>, <c>ReplayInvalid</c>.</exception>
    public static async Task<ReplayedBlocks> LoadAsync(string path, DevChainOptions options, CancellationToken cancellationToken) =>
        new(options, await Recording.LoadAllAsync(path, cancellationToken));

    /// <inheritdoc/>
    public Hash32 HashOf(ulong number, Hash32 parentHash, uint branch)
    {
        Span<byte> identity = stackalloc byte[48];
        BinaryPrimitives.WriteUInt64LittleEndian(identity, SeedOf(branch));
        BinaryPrimitives.WriteUInt64LittleEndian(identity[8..], number);
        parentHash.CopyTo(identity[16..]);
        return Keccak256.Hash(identity);
    }

    /// <inheritdoc/>
    public IReadOnlyList<Hash32> TransactionHashesOf(DevLink block)
    {
        var digits = PermutationOf(block);
        return [.. RecordingOf(block).TransactionHashes.Select(digits.Apply)];
    }

    /// <inheritdoc/>
    public void WriteBlock(DevLink block, bool fullTransactions, IBufferWriter<byte> output)
    {
        var document = RecordingOf(block).Block;
        var layout = LayoutOf(document, block);
        var patch = PatchOf(block);
        if (fullTransactions)
        {
            layout.Write(.., patch, output);
            return;
        }

        layout.Write(..layout.List.Start, patch, output);
        for (var i = 0; i < layout.Items.Count; i++)
        {
            output.Write(i > 0 ? ","u8 : default);
            output.WriteData(patch.Digits.Apply(RecordingOf(block).TransactionHashes[i]));
        }

        layout.Write(layout.List.End.., patch, output);
    }

    /// <inheritdoc/>
    public void WriteReceipts(DevLink block, IBufferWriter<byte> output) =>
        LayoutOf(RecordingOf(block).Receipts, block).Write(.., PatchOf(block), output);

    /// <inheritdoc/>
    public void WriteTransaction(DevLink block, int index, IBufferWriter<byte> output) =>
        WriteItem(RecordingOf(block).Block, block, index, output);

    /// <inheritdoc/>
    public void WriteReceipt(DevLink block, int index, IBufferWriter<byte> output) =>
        WriteItem(RecordingOf(block).Receipts, block, index, output);

    private void WriteItem(RecordedDocument document, DevLink block, int index, IBufferWriter<byte> output)
    {
        var layout = LayoutOf(document, block);
        layout.Write(layout.Items[index], PatchOf(block), output);
    }

    private Recording RecordingOf(DevLink block) => _recordings[(block.Number - _options.FirstBlock) % (ulong)_recordings.Length];

    private RecordedLayout LayoutOf(RecordedDocument document, DevLink block) =>
        document.LayoutFor(DigitsIn(block.Number), DigitsIn(_options.TimestampOf(block.Number)));

    private static int DigitsIn(ulong value) => value.ToString("x", CultureInfo.InvariantCulture).Length;

    private HexPermutation PermutationOf(DevLink block) =>
        _options.VaryReplay ? new HexPermutation(SeedOf(block.Branch), block.Number) : HexPermutation.Identity;

    private ulong SeedOf(uint branch) => _options.Seed + ((ulong)branch << 32);

    private ReplayPatch PatchOf(DevLink block) => new(block, _options.TimestampOf(block.Number), PermutationOf(block));
}
