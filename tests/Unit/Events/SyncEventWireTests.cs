using Google.Protobuf;

namespace Amp.Events;

public class SyncEventWireTests
{
    private static readonly DateTimeOffset Time = new(2026, 1, 15, 10, 30, 0, 123, TimeSpan.Zero);
    private static readonly Guid Id = Guid.CreateVersion7();

    [Fact]
    public void Decode_OfEncodedStarted_GivesItsFields()
    {
        var decoded = RoundTrip(EventSamples.Started("blocks", job: 42));

        Assert.Equal("sync.started", decoded.EventType);
        Assert.Equal("1.0", decoded.EventVersion);
        Assert.Equal(Id.ToString(), decoded.EventId);
        Assert.Equal(Time, decoded.Timestamp);
        Assert.Equal(TimeSpan.Zero, decoded.Timestamp.Offset);
        Assert.Equal("worker-01", decoded.WorkerId);
        Assert.Equal(42, decoded.JobId);
        Assert.Equal("ethereum/mainnet", decoded.Dataset);
        Assert.Equal(EventSamples.Hash, decoded.ManifestHash);
        Assert.Equal("blocks", decoded.Table);
        Assert.Equal((15_000_000UL, 15_001_000UL), (decoded.StartBlock, decoded.EndBlock));
        Assert.Equal((3, 77L), (decoded.Partition, decoded.Offset));
    }

    [Fact]
    public void Decode_OfContinuousJob_HasNoEndAndKeepsStartZero()
    {
        var decoded = RoundTrip(new SyncStarted(1, EventSamples.Table("logs"), 0, null));

        Assert.Equal(0UL, decoded.StartBlock);
        Assert.Null(decoded.EndBlock);
    }

    [Fact]
    public void Decode_OfEncodedProgressCompletedAndFailed_GivesTheirFields()
    {
        var progress = RoundTrip(EventSamples.Progress("logs", ulong.MaxValue));
        var completed = RoundTrip(EventSamples.Completed("logs"));
        var failed = RoundTrip(EventSamples.Failed("logs"));

        Assert.Equal((ulong.MaxValue, 3UL, 4096UL), (progress.CurrentBlock, progress.FilesCount, progress.TotalSizeBytes));
        Assert.Equal((15_001_000UL, TimeSpan.FromMilliseconds(12_345)), (completed.CurrentBlock, completed.Duration));
        Assert.Equal(("the node said no", "RpcFailed"), (failed.ErrorMessage, failed.ErrorType));
    }

    [Fact]
    public void Encode_OfLongErrorMessage_CutsItBetweenCharacters()
    {
        var message = new string('x', 8191) + "😀" + new string('y', 2_000_000);

        var decoded = RoundTrip(new SyncFailed(1, EventSamples.Table("logs"), message, null));

        Assert.Equal(new string('x', 8191) + "…", decoded.ErrorMessage);
        Assert.Null(decoded.ErrorType);
    }

    [Theory]
    [InlineData("2026-01-15T10:30:00Z", 0)]
    [InlineData("2026-01-15T10:30:00.123456789+00:00", 1_234_568)]
    [InlineData("2026-01-15T11:30:00.5+01:00", 5_000_000)]
    public void Decode_OfAnotherWorkersTimestamp_IsTheSameMoment(string timestamp, long ticks)
    {
        var envelope = Wire.WorkerEvent.Parser.ParseFrom(SyncEventWire.Encode(EventSamples.Started("logs"), Id, Time, "w"));
        envelope.Timestamp = timestamp;

        var decoded = SyncEventWire.Decode(envelope.ToByteArray(), "t", 0, 0);

        Assert.Equal(new DateTimeOffset(2026, 1, 15, 10, 30, 0, TimeSpan.Zero).AddTicks(ticks), decoded.Timestamp);
    }

    [Fact]
    public void Decode_OfRandomBytes_IsAlwaysAMalformedEvent()
    {
        var random = new Random(5);
        var good = SyncEventWire.Encode(EventSamples.Progress("logs", 9), Id, Time, "worker-01");
        var refused = 0;
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = (byte[])good.Clone();
            Array.Resize(ref bytes, random.Next(bytes.Length + 4));
            for (var flips = random.Next(1, 6); flips > 0 && bytes.Length > 0; flips--)
            {
                bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
            }

            try
            {
                SyncEventWire.Decode(bytes, "t", 1, i);
            }
            catch (AmpException e)
            {
                Assert.Equal(("SyncEventMalformed", $"t[1]@{i}"), (e.ErrorCode, e.Target));
                refused++;
            }
        }

        Assert.InRange(refused, 10_000, 20_000);
    }

    private static AmpSyncEvent RoundTrip(SyncEvent syncEvent) =>
        SyncEventWire.Decode(SyncEventWire.Encode(syncEvent, Id, Time, "worker-01"), "topic", 3, 77);
}
