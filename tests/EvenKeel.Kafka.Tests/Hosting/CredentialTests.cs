using System.Diagnostics;
using EvenKeel.Kafka.Hosting;
using EvenKeel.Kafka.Producing;
using EvenKeel.Kafka.Tests.Producing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Xunit;

namespace EvenKeel.Kafka.Tests.Hosting;

public sealed class CredentialTests(SecuredBroker broker) : IClassFixture<SecuredBroker>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_wrong_password_fails_the_start_with_one_error_that_names_the_user_and_not_the_password()
    {
        using var host = Build(await broker.StartAsync(), ("sasl.password", "wrong-secret"));

        var start = Stopwatch.GetTimestamp();
        var refused = await Assert.ThrowsAsync<KafkaException>(() => host.StartAsync(Cancellation));

        Assert.InRange(Stopwatch.GetElapsedTime(start), TimeSpan.Zero, TimeSpan.FromSeconds(10));
        Assert.Equal(KafkaErrorCode.AuthenticationFailed, refused.Code);
        Assert.Contains("sasl.username 'client'", refused.Message, StringComparison.Ordinal);
        Assert.Contains("Invalid username or password", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong-secret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Credentials_that_the_broker_knows_let_the_host_start()
    {
        using var host = Build(await broker.StartAsync());

        await host.StartAsync(Cancellation);

        Assert.Equal(2, host.Log().Of(1101).Count);
        Assert.Equal(HealthStatus.Healthy, (await host.HealthAsync()).Status);
        await host.StopAsync(Cancellation);
    }

    [Fact]
    public async Task A_refusal_ends_the_wait_for_the_first_answer_and_one_after_it_is_an_outage()
    {
        var answers = true;
        var refused = new BrokerReach(Endless, () => 0);
        var reached = new BrokerReach(
            (_, _) => answers ? Task.CompletedTask : throw new KafkaException(KafkaErrorCode.TimedOut, "No answer."), () => 0);
        var refusal = new ProducerNotice(ProducerNoticeKind.BrokerError, "Wrong password.", KafkaErrorCode.AuthenticationFailed);

        var waiting = refused.AwaitFirstAsync(Cancellation);
        Assert.False(waiting.IsCompleted);
        refused.Take(refusal);
        Assert.True((await reached.AwaitFirstAsync(Cancellation)).IsReached);
        reached.Take(refusal);
        answers = false;

        Assert.False((await waiting.WaitAsync(EvenKeel.Kafka.Tests.Native.TestClients.Deadline, Cancellation)).IsReached);
        Assert.Same(refusal, refused.Refusal);
        var (isReached, why) = await reached.AskAsync(Cancellation);
        Assert.False(isReached);
        Assert.Contains("Wrong password.", why, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Questions_at_the_same_time_are_one_and_a_delivery_answers_without_any()
    {
        var asked = 0;
        var delivered = 0L;
        var answer = new TaskCompletionSource();
        var reach = new BrokerReach(
            (_, _) =>
            {
                asked++;
                return answer.Task;
            },
            () => delivered);

        var questions = Enumerable.Range(0, 5).Select(_ => reach.AskAsync(Cancellation)).ToList();
        answer.SetResult();
        Assert.All(await Task.WhenAll(questions), found => Assert.True(found.IsReached));
        delivered++;

        Assert.True((await reach.AskAsync(Cancellation)).IsReached);
        Assert.Equal(1, asked);
    }

    private static async Task Endless(TimeSpan limit, CancellationToken stop) => await Task.Delay(Timeout.InfiniteTimeSpan, stop);

    private IHost Build(string address, params (string Name, string Value)[] changed)
    {
        var settings = broker.Settings;
        foreach (var (name, value) in changed)
            settings[name] = value;
        return Hosts.Build(
            address, kafka => kafka.AddProducer().AddProducer("second"), null,
            [.. settings.Select(setting => ($"Kafka:Properties:{setting.Key}", setting.Value))]);
    }
}
