using System.CommandLine;
using Amp.Extraction.DevChains;

namespace Amp.Daemon;

/// <summary><c>ampd dev-chain</c>: a development chain until Ctrl+C.</summary>
internal static class DevChainCommand
{
    public static Command Create()
    {
        var seed = new Option<ulong>("--seed") { Description = "Seed that all blocks follow from.", DefaultValueFactory = _ => 1 };
        var blocks = new Option<int>("--blocks") { Description = "Number of blocks it has at the start.", DefaultValueFactory = _ => 1_000 };
        var transactions = new Option<int>("--transactions") { Description = "Mean number of transactions in a block.", DefaultValueFactory = _ => 12 };
        var blockTime = new Option<double?>("--block-time") { Description = "Makes a new block every so many seconds; none when left out." };
        var port = new Option<int>("--port") { Description = "Port on 127.0.0.1; 0 takes a free one." };
        var replay = new Option<string?>("--replay") { Description = "A recorded block to replay: NAME.block.json, with NAME.receipts.json beside it." };
        var command = new Command("dev-chain", "Serves a deterministic EVM-shaped chain over JSON-RPC on loopback.")
        {
            seed, blocks, transactions, blockTime, port, replay,
        };
        command.SetAction((arguments, cancellationToken) => CommandRunner.RunAsync(async () =>
        {
            await using var chain = await DevChain.StartAsync(
                new DevChainOptions
                {
                    Seed = arguments.GetValue(seed),
                    BlockCount = arguments.GetValue(blocks),
                    TransactionsPerBlock = arguments.GetValue(transactions),
                    BlockTime = arguments.GetValue(blockTime) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
                    Port = arguments.GetValue(port),
                    ReplayPath = arguments.GetValue(replay),
                },
                cancellationToken);
            Console.WriteLine($"{chain.Url} serves chain {chain.ChainId} with blocks 0 to {chain.Head}; Ctrl+C stops it");
            await Task.Delay(Timeout.Infinite, cancellationToken).ContinueWith(static _ => { }, TaskScheduler.Default);
        }));
        return command;
    }
}
