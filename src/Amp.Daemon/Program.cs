using System.CommandLine;
using Amp.Daemon;

var root = new RootCommand("Amp: extracts blockchain data into Parquet files, coordinated through PostgreSQL.")
{
    WorkerCommand.Create(),
    ControllerCommand.Create(),
    SoloCommand.Create(),
    JobsCommand.Create(),
    MigrateCommand.Create(),
    DevChainCommand.Create(),
    DevBrokerCommand.Create(),
    DemoCommand.Create(),
};
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(30) });
