using System.Security.Cryptography;
using System.Text;
using Xunit;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCaseOrderer(typeof(OrderTests.ShuffledOrder))]
[assembly: TestCollectionOrderer(typeof(OrderTests.ShuffledOrder))]

namespace OrderTests;

/// <summary>Another order in each run: that of xunit's seed, so that <c>--seed</c> gives the same one again.</summary>
internal sealed class ShuffledOrder : ITestCaseOrderer, ITestCollectionOrderer
{
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases)
        where TTestCase : notnull, ITestCase => [.. testCases.OrderBy(testCase => Place(testCase.UniqueID), StringComparer.Ordinal)];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection =>
        [.. testCollections.OrderBy(collection => Place(collection.UniqueID), StringComparer.Ordinal)];

    private static string Place(string id) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes($"{Randomizer.Seed} {id}")));
}
