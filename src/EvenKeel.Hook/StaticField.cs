using System.Reflection;
using System.Reflection.Emit;

namespace EvenKeel.Hook;

/// <summary>
/// A static field of a framework that is read-only: reflection refuses to set one once its class is initialised; generated code may.
/// </summary>
internal static class StaticField
{
    public static void Store(FieldInfo field, object instance)
    {
        System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(field.DeclaringType!.TypeHandle);
        var setter = new DynamicMethod("Store", null, [typeof(object)], field.DeclaringType.Module, skipVisibility: true);
        var code = setter.GetILGenerator();
        code.Emit(OpCodes.Ldarg_0);
        code.Emit(OpCodes.Castclass, field.FieldType);
        code.Emit(OpCodes.Stsfld, field);
        code.Emit(OpCodes.Ret);
        setter.CreateDelegate<Action<object>>()(instance);
    }
}
