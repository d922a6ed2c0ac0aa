using Confluent.Kafka;

namespace OrderService;

/// <summary>
/// Reads payments for as long as the service runs: the key is the order's id, the value <c>paid</c> or <c>refunded</c>; anything else is
/// nobody's payment and left alone.
/// </summary>
internal sealed partial class PaymentConsumer(OrderSettings settings, IOrderStore store, ILogger<PaymentConsumer> logger)
    : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.Factory.StartNew(
        () => ConsumeAsync(stoppingToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();

    private async Task ConsumeAsync(CancellationToken stop)
    {
        using var consumer = new ConsumerBuilder<string, string>(new ConsumerConfig(settings.Consumer)
        {
            BootstrapServers = settings.BootstrapServers,
            GroupId = settings.GroupId,
            AutoOffsetReset = AutoOffsetReset.Earliest,
            EnableAutoOffsetStore = false,
        }).Build();
        consumer.Subscribe(settings.PaymentsTopic);
        try
        {
            while (!stop.IsCancellationRequested)
            {
                if (Next(consumer, stop) is not { } payment)
                    continue;
                if (payment.Message is { Key: { } id, Value: "paid" or "refunded" })
                    await store.SetPaidAsync(id, payment.Message.Value == "paid", stop);
                consumer.StoreOffset(payment);
            }
        }
        finally
        {
            // However it ends: a member that does not leave holds the group until its session is over.
            consumer.Close();
        }
    }

    /// <summary>What is not fatal passes, such as a topic that the brokers do not know yet.</summary>
    private ConsumeResult<string, string>? Next(IConsumer<string, string> consumer, CancellationToken stop)
    {
        try
        {
            return consumer.Consume(stop);
        }
        catch (ConsumeException passing) when (!passing.Error.IsFatal)
        {
            LogTrouble(passing.Error.Reason);
            return null;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "No payment: {Reason}")]
    private partial void LogTrouble(string reason);
}
