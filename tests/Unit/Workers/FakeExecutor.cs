using System.Collections.Concurrent;

namespace Amp.Workers;

/// <summary>An executor whose jobs do what the test says.</summary>
internal sealed class FakeExecutor : IJobExecutor
{
    /// <summary>What a job does; by default it runs until it is stopped.</summary>
    public Func<JobAssignment, CancellationToken, Task> Work { get; set; } = (_, stop) => Task.Delay(Timeout.Infinite, stop);

    /// <summary>Every job that was begun, in order.</summary>
    public ConcurrentQueue<JobAssignment> Begun { get; } = new();

    public Task ExecuteAsync(JobAssignment job, CancellationToken stop)
    {
        Begun.Enqueue(job);
        return Work(job, stop);
    }
}
