using EvenKeel.Kafka.Producing;
using Xunit;

namespace EvenKeel.Kafka.Tests.Producing;

/// <summary>What the spill waits for before it writes a key's first record: that all which went straight before it has ended.</summary>
public sealed class EraTests
{
    private readonly Backlog _backlog = new(new ProducerOptions { BootstrapServers = "none" }, _ => { });
    private readonly PendingSendPool _sends = new(16, _ => { });

    [Fact]
    public void What_has_its_outcome_has_ended_two_eras_later()
    {
        var slot = Accept();
        Turn(3);
        Assert.Equal(1, _backlog.Era);
        Assert.False(_backlog.IsIdle);

        End(slot);

        Turn(3);
        Assert.Equal(4, _backlog.Era);
        Assert.True(_backlog.IsIdle);
    }

    /// <summary>1. A record comes back. 2. Somebody looks before the path is taken over. 3. What is behind the record must wait still.</summary>
    [Fact]
    public void What_was_given_back_has_not_ended_and_neither_has_anything_behind_it()
    {
        var (back, behind) = (Accept(), Accept());

        var ended = _backlog.RentEnded();
        ended.AddGivenBack(back);
        _backlog.Release(ended);
        End(behind);

        Turn(3);
        Assert.Equal(0, _backlog.Era);
        Assert.False(_backlog.IsIdle);
    }

    private int Accept()
    {
        var record = new OutgoingRecord("topic", "key"u8, "value"u8);
        Assert.Equal(Admission.Queued, _backlog.TryQueue(record, 0, _sends.Rent()));
        var entry = Assert.Single(_backlog.Take(new SendGroup())!.Entries);
        return entry.Slot;
    }

    private void End(int slot)
    {
        var ended = _backlog.RentEnded();
        ended.Add(slot, _backlog.Slot(slot).Send!, DeliveryOutcome.Refused(KafkaErrorCode.TimedOut, "A test's."));
        _backlog.Release(ended);
    }

    private void Turn(int times)
    {
        for (var i = 0; i < times; i++)
            _backlog.TurnEra();
    }
}
