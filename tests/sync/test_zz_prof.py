import time
import tests.sync.test_kill as t
from tests.sync.test_kill import scene, hospital_url
def test_profile(scene):
    from adapter.store.documents import Change
    a=time.time(); [scene.bridge.repository.collection(x) for x in t.TYPES]; print("indexes", time.time()-a)
    a=time.time(); scene.bridge.repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in t.resources()]); print("commit", time.time()-a)
    a=time.time(); scene.there(); print("there", time.time()-a)
    for i in range(10):
        a=time.time(); k=scene.kill("push","POST",2); b=time.time(); n=len(scene.there()); c=time.time(); scene.edit_here(); d=time.time()
        print(f"kill {k} {b-a:.2f} there {n} {c-b:.2f} edit {d-c:.2f}", len(scene.proxy.seen))
    a=time.time(); print(scene.there()==[]); print("there", time.time()-a)
