using EvenKeel.Testing.XunitV3;
using Xunit;

[assembly: UseKafkaKit]

namespace OrderTests;

[KafkaTest]
public sealed class PlacingTests(OrderHost host) : PlacingScenario(new WorkerStage(host)), IClassFixture<OrderHost>;

[KafkaTest]
public sealed class PaymentTests(OrderHost host) : PaymentScenario(new WorkerStage(host)), IClassFixture<OrderHost>;

[KafkaTest]
public sealed class RefundTests(OrderHost host) : RefundScenario(new WorkerStage(host)), IClassFixture<OrderHost>;

[KafkaTest]
public sealed class BookTests(OrderHost host) : BookScenario(new WorkerStage(host)), IClassFixture<OrderHost>;
