using System.Net;
using System.Net.Http.Json;
using EvenKeel.Testing.Workers;
using OrderService;
using Xunit;

namespace EvenKeel.Testing.AspNetCore.Tests;

public sealed class WorkerHostTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task After_a_failing_test_the_service_is_another_one_on_the_workers_new_topics()
    {
        await using var run = new TestRun();
        var worker = run.LeaseWorker();
        await using var host = new WorkerHost<Order>(worker, service => service
            .BootstrapServers("Kafka:BootstrapServers").ConsumerProperties("Kafka:Consumer")
            .Topic("Kafka:OrdersTopic", "orders").Topic("Kafka:PaymentsTopic", "payments").Group("Kafka:GroupId", "payments")
            .Value("Logging:LogLevel:Default", of => Task.FromResult(of.Number >= 0 ? "Critical" : "Trace")));
        var failing = worker.BeginTest("a failing test");
        var before = await host.CurrentAsync(Cancellation);
        await PlaceAsync("before");
        failing.End(hasFailed: true);

        var next = worker.BeginTest("the next one");
        Assert.NotSame(before, await host.CurrentAsync(Cancellation));
        Assert.Same(await host.CurrentAsync(Cancellation), await host.CurrentAsync(Cancellation));
        Assert.EndsWith("-f1", await worker.TopicAsync("orders", cancellationToken: Cancellation), StringComparison.Ordinal);
        await PlaceAsync("after");
        next.End(hasFailed: false);

        async Task PlaceAsync(string id)
        {
            var consumer = await worker.ConsumerAsync(
                await worker.TopicAsync("orders", cancellationToken: Cancellation), cancellationToken: Cancellation);
            using var http = (await host.CurrentAsync(Cancellation)).CreateClient();
            using var answer = await http.PostAsJsonAsync("/orders", new Order(id, "keel"), Cancellation);
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
            Assert.Equal(id, (await consumer.ReceiveAsync()).Key);
        }
    }
}
