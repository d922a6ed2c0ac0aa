using OrderTests;
using Xunit;

[assembly: AssemblyFixture(typeof(OrdersDatabase))]

namespace OrderTests;

public sealed class PlacingTests(OrdersDatabase database) : PlacingScenario(new FreshStage(database));

public sealed class PaymentTests(OrdersDatabase database) : PaymentScenario(new FreshStage(database));

public sealed class RefundTests(OrdersDatabase database) : RefundScenario(new FreshStage(database));

public sealed class BookTests(OrdersDatabase database) : BookScenario(new FreshStage(database));
