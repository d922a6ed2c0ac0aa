using Xunit;

namespace Fixture.Infrastructure;

public sealed class Database
{
    public Database() => throw new InvalidOperationException("connection refused: localhost:5432");
}

public sealed class Orders(Database database) : IClassFixture<Database>
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Needs_the_database(int number) => Assert.NotNull(database.ToString() + number);
}
