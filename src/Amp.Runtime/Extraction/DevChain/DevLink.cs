namespace Amp.Extraction.DevChains;

/// <summary>What a block follows from, besides the chain's options.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Hash">Its hash.</param>
/// <param name="ParentHash">Hash of the block before it; zero for the first.</param>
/// <param name="Branch">0, and one more after each reorg: blocks of the same number on two branches have different contents.</param>
internal readonly record struct DevLink(ulong Number, Hash32 Hash, Hash32 ParentHash, uint Branch);
