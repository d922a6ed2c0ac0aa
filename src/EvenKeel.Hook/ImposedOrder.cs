using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;

namespace EvenKeel.Hook;

/// <summary>
/// An imposed order is a file of ids, one a line, in which the collections and the cases of an xunit v3 suite are to run.
/// xunit v3 takes no order from outside, but asks two default orderers unless the suite names its own; these are replaced by classes
/// derived from them. What a suite orders by itself stays as it is: that order is part of the suite.
/// </summary>
public static class ImposedOrder
{
    private static Dictionary<string, int> Ranks = [];

    internal static void Install(Assembly xunit, string orderFile)
    {
        var ids = File.ReadAllLines(orderFile);
        Ranks = ids.Select((id, rank) => (id, rank)).DistinctBy(line => line.id).ToDictionary(line => line.id, line => line.rank);
        var module = AssemblyBuilder
            .DefineDynamicAssembly(new AssemblyName("EvenKeel.Hook.Orderers"), AssemblyBuilderAccess.Run)
            .DefineDynamicModule("Orderers");
        Replace(module, xunit, "Xunit.v3.DefaultTestCollectionOrderer", "Xunit.v3.ITestCollectionOrderer");
        Replace(module, xunit, "Xunit.v3.DefaultTestCaseOrderer", "Xunit.v3.ITestCaseOrderer");
        Replace(module, xunit, "Xunit.v3.DefaultTestClassOrderer", "Xunit.v3.ITestClassOrderer");
        Replace(module, xunit, "Xunit.v3.DefaultTestMethodOrderer", "Xunit.v3.ITestMethodOrderer");
    }

    /// <summary>The items in the order of the file; what it does not name keeps its place among its like, at the end.</summary>
    public static IReadOnlyCollection<T> Sort<T>(IReadOnlyCollection<T> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        return [.. items.OrderBy(item => Ranks.GetValueOrDefault(IdOf(item), int.MaxValue))];
    }

    private static string IdOf<T>(T item)
    {
        foreach (var contract in item!.GetType().GetInterfaces())
        {
            if (contract.GetProperty("UniqueID")?.GetValue(item) is string id)
                return id;
        }
        return "";
    }

    private static void Replace(ModuleBuilder module, Assembly xunit, string defaultName, string contractName)
    {
        var original = xunit.GetType(defaultName);
        var contract = xunit.GetType(contractName);
        var field = original?.GetFields(BindingFlags.Static | BindingFlags.NonPublic)
            .FirstOrDefault(field => field.FieldType == original);
        if (original is null || contract is null || field is null || original.IsSealed)
            return;
        var derived = module.DefineType("Imposed." + original.Name, TypeAttributes.Public, original, [contract]);
        foreach (var member in contract.GetMethods())
            Implement(derived, member);
        var instance = RuntimeHelpers.GetUninitializedObject(derived.CreateType());
        StaticField.Store(field, instance);
    }

    private static void Implement(TypeBuilder derived, MethodInfo member)
    {
        var method = derived.DefineMethod(
            "Imposed." + member.Name,
                MethodAttributes.Private | MethodAttributes.Virtual | MethodAttributes.Final | MethodAttributes.HideBySig
                | MethodAttributes.NewSlot);
        var parameter = member.GetGenericArguments()[0];
        var type = method.DefineGenericParameters("T")[0];
        type.SetGenericParameterAttributes(parameter.GenericParameterAttributes);
        type.SetInterfaceConstraints([.. parameter.GetGenericParameterConstraints().Where(constraint => constraint.IsInterface)]);
        var collection = typeof(IReadOnlyCollection<>).MakeGenericType(type);
        method.SetReturnType(collection);
        method.SetParameters(collection);
        var code = method.GetILGenerator();
        code.Emit(OpCodes.Ldarg_1);
        code.Emit(OpCodes.Call, typeof(ImposedOrder).GetMethod(nameof(Sort))!.MakeGenericMethod(type));
        code.Emit(OpCodes.Ret);
        derived.DefineMethodOverride(method, member);
    }
}
