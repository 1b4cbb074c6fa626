using Amp.Events;

namespace Amp.BackgroundJobs;

/// <summary>A development broker with the topics of background jobs.</summary>
internal static class JobBroker
{
    public static Task<DevBroker> StartAsync(int partitions) =>
        DevBroker.StartAsync(new DevBrokerOptions { Topics = [.. JobTopics.Events.Append(JobTopics.Work).Select(topic => new DevBrokerTopic(topic, partitions))] });
}
