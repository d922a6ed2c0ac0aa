using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using System.Reflection.Emit;

namespace EvenKeel.Hook;

/// <summary>
/// An imposed NUnit order is a file of full names, one a line, in which the tests of an NUnit suite are to run, and no others.
/// NUnit sorts the children of a suite by their property <c>Order</c> once its filter has looked at them, and what runs unfiltered
/// runs by one filter that lets all pass. This takes that filter's place: it lets those of the file pass and gives each its rank, a suite
/// that of its first test. What a suite orders by itself stays as it is and goes first: that order is part of the suite.
/// </summary>
public static class ImposedNUnitOrder
{
    // Above what people write into [Order].
    private const int FirstRank = 1_000_000_000;

    private static readonly object Gate = new();

    // Guarded by Gate: work is built by the thread that runs it.
    private static Dictionary<string, int> Ranks = [];
    private static object? RankedRoot;

    /// <summary>
    /// Puts the order into a framework that has just been loaded, and says so in a file beside it: whoever asked can tell. An empty order
    /// is a question only: it changes nothing.
    /// </summary>
    internal static void Install(Assembly nunit, string orderFile)
    {
        var filter = nunit.GetType("NUnit.Framework.Internal.TestFilter");
        var empty = filter?.GetField("Empty", BindingFlags.Static | BindingFlags.Public);
        var add = nunit.GetType("NUnit.Framework.Interfaces.TNode")?.GetMethod("AddElement", [typeof(string)]);
        if (filter is null || empty is null || add is null || !filter.IsAbstract)
            return;
        var instance = Activator.CreateInstance(Derive(filter, add));
        lock (Gate)
        {
            Ranks = File.ReadAllLines(orderFile).Select((name, rank) => (name, rank)).DistinctBy(line => line.name, StringComparer.Ordinal)
                .ToDictionary(line => line.name, line => line.rank, StringComparer.Ordinal);
            if (Ranks.Count > 0)
                StaticField.Store(empty, instance!);
        }
        File.WriteAllText(orderFile + ".imposed", "");
    }

    /// <summary>Whether this test is one of the file's; on the first of a tree the whole tree is ranked.</summary>
    public static bool Match(object test)
    {
        ArgumentNullException.ThrowIfNull(test);
        var root = test;
        while (Read(root, "Parent") is { } parent)
            root = parent;
        lock (Gate)
        {
            if (!ReferenceEquals(root, RankedRoot))
            {
                RankedRoot = root;
                RankLocked(root);
            }
            return Read(test, "IsSuite") is false && Ranks.ContainsKey(NameOf(test));
        }
    }

    private static int RankLocked(object test)
    {
        Debug.Assert(Monitor.IsEntered(Gate), "ranks are guarded");
        var rank = int.MaxValue;
        if (Read(test, "IsSuite") is true)
        {
            foreach (var child in (System.Collections.IEnumerable)Read(test, "Tests")!)
                rank = Math.Min(rank, RankLocked(child));
        }
        else if (Ranks.TryGetValue(NameOf(test), out var own))
        {
            rank = FirstRank + own;
        }
        if (rank == int.MaxValue)
            return rank;
        var properties = Read(test, "Properties")!;
        var contract = Contract(properties, "IPropertyBag");
        if (contract.GetMethod("ContainsKey")!.Invoke(properties, ["Order"]) is false)
            contract.GetMethod("Set")!.Invoke(properties, ["Order", rank]);
        return rank;
    }

    // As NUnit's XML, and therefore every list, has it: what XML cannot hold is written out.
    private static string NameOf(object test)
    {
        var name = (string)Read(test, "FullName")!;
        if (!name.Any(letter => letter < ' '))
            return name;
        return string.Concat(name.Select(letter => letter >= ' '
            ? letter.ToString() : string.Create(CultureInfo.InvariantCulture, $"\\u{(int)letter:x4}")));
    }

    private static object? Read(object test, string property) => Contract(test, "ITest").GetProperty(property)!.GetValue(test);

    private static Type Contract(object instance, string name) =>
        instance.GetType().GetInterface("NUnit.Framework.Interfaces." + name)
            ?? throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"{instance.GetType()} is no {name}."));

    private static Type Derive(Type filter, MethodInfo add)
    {
        var derived = AssemblyBuilder
            .DefineDynamicAssembly(new AssemblyName("EvenKeel.Hook.Filters"), AssemblyBuilderAccess.Run)
            .DefineDynamicModule("Filters")
            .DefineType("Imposed.OrderFilter", TypeAttributes.Public, filter);
        foreach (var member in filter.GetMethods()
            .Where(member => member.IsVirtual && member.Name is "Match" or "IsExplicitMatch" or "AddToXml"))
        {
            var method = derived.DefineMethod(
                member.Name, MethodAttributes.Public | MethodAttributes.Virtual | MethodAttributes.HideBySig, member.ReturnType,
                [.. member.GetParameters().Select(parameter => parameter.ParameterType)]);
            var code = method.GetILGenerator();
            if (member.Name == "Match")
            {
                code.Emit(OpCodes.Ldarg_1);
                code.Emit(OpCodes.Call, typeof(ImposedNUnitOrder).GetMethod(nameof(Match))!);
            }
            else if (member.Name == "IsExplicitMatch")
            {
                // As the filter in whose place it stands: what is marked explicit is not run.
                code.Emit(OpCodes.Ldc_I4_0);
            }
            else
            {
                code.Emit(OpCodes.Ldarg_1);
                code.Emit(OpCodes.Ldstr, "filter");
                code.Emit(OpCodes.Callvirt, add);
            }
            code.Emit(OpCodes.Ret);
            derived.DefineMethodOverride(method, member);
        }
        return derived.CreateType();
    }
}
