namespace Amp.Extraction.DevChains;

/// <summary>
/// Makes blocks out of numbers: block n follows from the options, its branch and n alone, its header also from its parent's hash.
/// Keeps nothing between blocks, so any block can be made again at any time by any thread.
/// </summary>
internal sealed class BlockGenerator
{
    private const ulong BlockDomain = 1;
    private const ulong AccountDomain = 2;
    private const ulong Gwei = 1_000_000_000;
    private const ulong TransferGas = 21_000;
    private const int MaxBlobsPerBlock = 9;
    private const int MostGasPerTransaction = 1_000_000;

    private readonly DevChainOptions _options;
    private readonly ulong _chainId;
    private readonly ulong _gasLimit;
    private readonly byte[][] _users;
    private readonly byte[][] _contracts;
    private readonly byte[][] _events;
    private readonly byte[][] _selectors;
    private readonly byte[][] _miners;

    public BlockGenerator(DevChainOptions options)
    {
        _options = options;
        _chainId = options.ChainId ?? DevChainOptions.DefaultChainId;
        _gasLimit = Math.Max(36_000_000, (ulong)options.TransactionsPerBlock * 2 * MostGasPerTransaction);
        var random = new SeededRandom(options.Seed, AccountDomain, 0);
        _users = Many(2000, () => random.Bytes(20));
        _contracts = Many(400, () => random.Bytes(20));
        _events = Many(48, () => random.Bytes(32));
        _selectors = Many(64, () => random.Bytes(4));
        _miners = Many(12, () => random.Bytes(20));
    }

    /// <summary>Makes block <paramref name="number"/> of a branch on top of a parent.</summary>
    public DevBlock Create(ulong number, Hash32 parentHash, uint branch)
    {
        var random = new SeededRandom(_options.Seed, BlockDomain + ((ulong)branch << 8), number);
        var baseFee = (ulong)random.Between(5_000, 60_000) * (Gwei / 1000);
        var blobGasPrice = 1 + (ulong)random.Below(1_000_000);
        var blobs = 0;
        var transactions = CreateTransactions(random, number, baseFee, blobGasPrice, ref blobs);
        var block = new DevBlock
        {
            Number = number,
            ParentHash = parentHash,
            Timestamp = _options.TimestampOf(number),
            Miner = random.Favour(_miners),
            StateRoot = random.Bytes(32),
            MixHash = random.Bytes(32),
            ExtraData = random.Bytes(random.Below(33)),
            ParentBeaconBlockRoot = random.Bytes(32),
            GasLimit = _gasLimit,
            BaseFeePerGas = baseFee,
            BlobGasPrice = blobGasPrice,
            BlobGasUsed = (ulong)blobs * DevTransaction.GasPerBlob,
            ExcessBlobGas = (ulong)random.Below(500) * DevTransaction.GasPerBlob,
            Transactions = transactions,
            Withdrawals = CreateWithdrawals(random, number),
        };
        BlockSealer.Seal(block);
        return block;
    }

    private static T[] Many<T>(int count, Func<T> create)
    {
        var items = new T[count];
        for (var i = 0; i < count; i++)
        {
            items[i] = create();
        }

        return items;
    }

    private DevTransaction[] CreateTransactions(SeededRandom random, ulong number, ulong baseFee, ulong blobGasPrice, ref int blobs)
    {
        // The genesis block and one in 25 are empty.
        var count = number == 0 || random.Chance(4) ? 0 : random.Between(0, _options.TransactionsPerBlock * 2);
        var transactions = new DevTransaction[count];
        var cumulativeGas = 0UL;
        for (var i = 0; i < count; i++)
        {
            transactions[i] = CreateTransaction(random, baseFee, blobGasPrice, cumulativeGas, ref blobs);
            cumulativeGas = transactions[i].CumulativeGasUsed;
        }

        return transactions;
    }

    private DevTransaction CreateTransaction(SeededRandom random, ulong baseFee, ulong blobGasPrice, ulong cumulativeGas, ref int blobs)
    {
        var type = random.Below(100) switch { < 25 => 0, < 34 => 1, < 86 => 2, < 93 => 3, _ => 4 };
        var blobHashes = type == 3 ? CreateBlobHashes(random, MaxBlobsPerBlock - blobs) : [];
        if (type == 3 && blobHashes.Length == 0)
        {
            type = 2;
        }

        blobs += blobHashes.Length;
        var creates = type < 3 && random.Chance(4);
        var transfers = !creates && type != 3 && random.Chance(30);
        var succeeds = transfers || random.Chance(94);
        var logs = succeeds && !transfers ? CreateLogs(random) : [];
        var gasUsed = transfers ? TransferGas : (ulong)random.Between(40_000, MostGasPerTransaction / 2);
        var tip = (ulong)random.Between(0, 3_000) * (Gwei / 1000);
        var maxFee = (baseFee * (ulong)random.Between(1, 3)) + tip;
        return new DevTransaction
        {
            Type = type,
            ChainId = type == 0 && random.Chance(15) ? null : _chainId,
            From = random.Favour(_users),
            To = creates ? null : transfers ? random.Favour(_users) : random.Favour(_contracts),
            Nonce = (ulong)random.Below(random.Chance(90) ? 500 : 5_000_000),
            Gas = gasUsed + (transfers ? 0 : (ulong)random.Below(MostGasPerTransaction / 2)),
            GasPrice = baseFee + tip,
            MaxFeePerGas = maxFee,
            MaxPriorityFeePerGas = tip,
            MaxFeePerBlobGas = blobGasPrice * (ulong)random.Between(1, 4),
            Value = transfers || random.Chance(20) ? CreateValue(random) : 0,
            Input = transfers ? [] : CreateInput(random, creates),
            AccessList = type == 1 || (type > 1 && random.Chance(15)) ? CreateAccessList(random) : [],
            BlobVersionedHashes = blobHashes,
            Authorizations = type == 4 ? Many(random.Between(1, 3), () => CreateAuthorization(random)) : [],
            Signature = CreateSignature(random),
            Succeeded = succeeds,
            GasUsed = gasUsed,
            CumulativeGasUsed = cumulativeGas + gasUsed,
            Logs = logs,
        };
    }

    private static byte[][] CreateBlobHashes(SeededRandom random, int left)
    {
        var hashes = Many(Math.Min(left, random.Between(1, 4)), () => random.Bytes(32));
        foreach (var hash in hashes)
        {
            hash[0] = 1; // version: KZG commitment
        }

        return hashes;
    }

    // Up to some 10^22 wei: more than 64 bits now and then.
    private static UInt128 CreateValue(SeededRandom random) =>
        random.Chance(50)
            ? (UInt128)(ulong)random.Between(1, 100_000) * 1_000_000_000_000_000
            : (UInt128)(random.Next() >> random.Below(60)) * (ulong)random.Between(1, 1000);

    private static DevSignature CreateSignature(SeededRandom random)
    {
        var r = random.Bytes(32);
        var s = random.Bytes(32);
        s[0] &= 0x7f; // signatures have the lower of the two possible s
        return new DevSignature((byte)random.Below(2), r, s);
    }

    private DevAuthorization CreateAuthorization(SeededRandom random) =>
        new(random.Chance(30) ? 0 : _chainId, random.Favour(_contracts), (ulong)random.Below(100), CreateSignature(random));

    private DevAccess[] CreateAccessList(SeededRandom random) =>
        Many(random.Below(4), () => new DevAccess(random.Favour(_contracts), Many(random.Below(5), () => random.Bytes(32))));

    private byte[] CreateInput(SeededRandom random, bool creates)
    {
        if (creates)
        {
            return random.Bytes(random.Between(200, 4000));
        }

        var words = random.Chance(3) ? random.Between(30, 250) : random.Between(0, 10);
        return [.. random.Favour(_selectors), .. CreateWords(random, words)];
    }

    private DevLog[] CreateLogs(SeededRandom random) =>
        Many(random.Chance(20) ? 0 : random.Between(1, 5), () =>
        {
            var topicCount = random.Below(100) switch { < 3 => 0, < 12 => 1, < 30 => 2, < 80 => 3, _ => 4 };
            var topics = new byte[topicCount][];
            for (var i = 0; i < topicCount; i++)
            {
                topics[i] = i == 0 ? random.Favour(_events) : CreateWords(random, 1);
            }

            return new DevLog(random.Favour(_contracts), topics, CreateWords(random, random.Below(5)));
        });

    // ABI words: addresses and amounts with their leading zeros, and hashes.
    private byte[] CreateWords(SeededRandom random, int count)
    {
        var words = new byte[count * 32];
        for (var i = 0; i < words.Length; i += 32)
        {
            var word = words.AsSpan(i, 32);
            switch (random.Below(10))
            {
                case < 5:
                    random.Favour(_users).CopyTo(word[12..]);
                    break;
                case < 9:
                    random.Fill(word[(32 - random.Between(0, 10))..]);
                    break;
                default:
                    random.Fill(word);
                    break;
            }
        }

        return words;
    }

    private DevWithdrawal[] CreateWithdrawals(SeededRandom random, ulong number)
    {
        const int PerBlock = 4;
        var index = number * PerBlock;
        return number == 0
            ? []
            : Many(PerBlock, () => new DevWithdrawal(
                index++, (ulong)random.Below(1_000_000), random.Favour(_users), (ulong)random.Between(1_000_000, 60_000_000)));
    }
}
